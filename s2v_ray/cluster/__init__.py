"""The only package that imports Ray. The environment variables that Ray reads on import are set here, before that."""

import os

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DATA_LOG_LEVEL": "CRITICAL",  # what fails comes back as an exception, or is among the rejects
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # otherwise what workers print appears twice
    # Printed every second or at every checkpoint: nothing that a user of s2v can act on.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "Failed to query Ray Train Controller actor state|"
    "has constructor arguments in the object store|Reporting training result",
}
if "RAY_ADDRESS" not in os.environ:
    # A cluster started here is for this machine: without this, Ray's ports are open to the network. (By its name, Ray
    # has loopback by default on two systems; the setting is the same on all.)
    _SETTINGS["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
for _name, _value in _SETTINGS.items():
    os.environ.setdefault(_name, _value)
