"""Where a job of Ray's may write."""

import os

from s2v_ray.cli.flags import flag_value
from s2v_ray.errors import UserError
from s2v_ray.storage.paths import is_uri


def refuse_relative_out(arguments: list[str]) -> None:
    """Raise UserError for a relative --out in a job: it works in a copy of the submitted folder, which Ray removes."""
    out = flag_value(arguments, "--out")
    in_job = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ
    if in_job and out and not is_uri(out) and not out.startswith(("/", "~", "file:")):
        raise UserError(
            "relative_path",
            f"--out '{out}' is a relative path, but a job runs in a temporary folder that Ray removes; give an "
            "absolute path in a folder that all nodes share, or a URI.",
        )
