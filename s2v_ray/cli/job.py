"""The verbs under `ray job submit`: jobs/*.py."""

import argparse
import os
import sys
from pathlib import Path

from s2v_ray.cli.flags import flag_value
from s2v_ray.cli.main import main
from s2v_ray.errors import UserError
from s2v_ray.storage.paths import is_uri, user_location


def location(text: str) -> str:
    """A path or URI among the flags of a benchmark, normalised as those of the verbs are."""
    try:
        return user_location(text, "The path")
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def local_path(text: str) -> Path:
    """A local path among them."""
    return Path(location(text))


def run(verb: str, arguments: list[str]) -> int:
    """Run one verb as `s2v` does; returns the status of the job.

    A job works in a copy of the submitted folder, which Ray removes, so --out can't be relative to it.
    """
    out = flag_value(arguments, "--out")
    in_job = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ
    if in_job and out and not is_uri(out) and not out.startswith(("/", "~", "file:")):
        print(
            f"s2v {verb}: --out '{out}' is a relative path, but a job runs in a temporary folder that Ray removes; "
            "give an absolute path in a folder that all nodes share, or a URI. [relative_path]",
            file=sys.stderr,
        )
        return 1
    return main([verb, *arguments])
