"""The verbs under `ray job submit`: jobs/*.py."""

import os
import sys
from pathlib import Path

from s2v_ray.cli.flags import flag_value
from s2v_ray.cli.main import main
from s2v_ray.storage.paths import is_uri


def run(verb: str, arguments: list[str]) -> int:
    """Run one verb as `s2v` does; returns the status of the job.

    A job works in a copy of the submitted folder, which Ray removes, so --out can't be relative to it.
    """
    out = flag_value(arguments, "--out")
    in_job = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ
    if in_job and out and not is_uri(out) and not Path(out).expanduser().is_absolute():
        print(
            f"s2v {verb}: --out '{out}' is a relative path, but a job runs in a temporary folder that Ray removes; "
            "give an absolute path in a folder that all nodes share, or a URI. [relative_path]",
            file=sys.stderr,
        )
        return 1
    return main([verb, *arguments])
