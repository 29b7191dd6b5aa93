"""Limits on trying a video: its decoder can take its process down, or never return."""

import faulthandler
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2v_ray.media.decoding.limits import Limits

# Ray Data retries a task whose process dies without end. A source is given up after this many tries.
MOST_TRIES = 3
# The time limit of a source is checked between packets. If a call into a decoder never returns, its process is ended
# after twice that limit; the minimum leaves time to write what was found.
_FACTOR, _LEAST_SECONDS = 2, 5.0


def watchdog_seconds(limits: Limits) -> float:
    """How long a process may work on a source."""
    return min(max(_FACTOR * limits.max_source_seconds, _LEAST_SECONDS), threading.TIMEOUT_MAX)


@contextmanager
def terminate_on_hang(limits: Limits) -> Iterator[None]:
    """End this process if the block takes longer than `watchdog_seconds`."""
    with Path(os.devnull).open("w") as nowhere:
        # Unlike an alarm in Python, it does not need the interpreter lock, which the hanging call may hold.
        faulthandler.dump_traceback_later(watchdog_seconds(limits), exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
