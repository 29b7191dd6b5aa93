"""The program `s2v`, also `python -m s2v_ray`."""

import os
import signal
import sys
from types import FrameType


def run() -> int:
    """Run `s2v` with the arguments of this process; returns the status for the shell.

    Nothing has begun until all is imported, so that Ctrl-C may end the process at once.
    """
    before = signal.signal(signal.SIGINT, _exit)
    from s2v_ray.cli.main import main

    signal.signal(signal.SIGINT, before)
    return main()


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(run())
