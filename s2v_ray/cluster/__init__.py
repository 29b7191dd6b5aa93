"""The only room that imports Ray. What Ray reads of the environment when it is imported is set here, before that."""

import os

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no phoning home
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # it shows what workers print twice
    # Said every second or at every checkpoint: nothing that a user of s2v can act on.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "Failed to query Ray Train Controller actor state|"
    "has constructor arguments in the object store|Reporting training result",
}
for _name, _value in _SETTINGS.items():
    os.environ.setdefault(_name, _value)
