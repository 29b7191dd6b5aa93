"""How long a task may try at a video: a decoder can take its process down, or never come back."""

import faulthandler
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2v_ray.media.decoding.limits import Limits

# Ray Data tries a task whose process dies for ever. A source whose decoder takes its process down is given up after:
MOST_TRIES = 3
# Time is checked between packets. A call into a decoder that never returns is ended, with its process, after so many
# times the limit of a source; the least leaves time to write down what was found.
_PATIENCE, _LEAST_SECONDS = 2, 5.0


def patience_seconds(limits: Limits) -> float:
    """How long a source is waited for."""
    return min(max(_PATIENCE * limits.max_source_seconds, _LEAST_SECONDS), threading.TIMEOUT_MAX)


@contextmanager
def ending_what_hangs(limits: Limits) -> Iterator[None]:
    """Where the block takes longer than `patience_seconds`, this process ends."""
    with Path(os.devnull).open("w") as nowhere:
        # Unlike an alarm in Python, it needs no interpreter lock, which the call that hangs may hold.
        faulthandler.dump_traceback_later(patience_seconds(limits), exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
