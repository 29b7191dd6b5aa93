"""The verbs under `ray job submit`: jobs/*.py."""

import os
import sys
from itertools import pairwise
from pathlib import Path

from s2v_ray.cli.main import main
from s2v_ray.storage.paths import is_uri


def run(verb: str, arguments: list[str]) -> int:
    """One verb as `s2v` runs it; returns the status of the job.

    A job works in a copy of the submitted folder, which Ray removes: a place to write to can't be relative to it.
    """
    out = _out(arguments)
    in_job = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ
    if in_job and out and not is_uri(out) and not Path(out).expanduser().is_absolute():
        print(
            f"s2v {verb}: --out '{out}' is a relative path, but a job runs in a temporary folder that Ray removes; "
            "give an absolute path on a folder that all nodes share, or a URI.",
            file=sys.stderr,
        )
        return 1
    return main([verb, *arguments])


def _out(arguments: list[str]) -> str:
    given = [argument.removeprefix("--out=") for argument in arguments if argument.startswith("--out=")]
    return next(iter(given + [place for flag, place in pairwise(arguments) if flag == "--out"]), "")
