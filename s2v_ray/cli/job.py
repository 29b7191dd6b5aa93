"""The verbs under `ray job submit`: jobs/*.py."""

import argparse
from pathlib import Path

from s2v_ray.cli.main import main
from s2v_ray.errors import UserError
from s2v_ray.storage.paths import user_location


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
    """Run one verb as `s2v` does; returns the status of the job."""
    return main([verb, *arguments])
