"""Waiting for what other processes do."""

import threading
from collections.abc import Callable


def wait_until(said: Callable[[], object], what: str, seconds: float = 240) -> None:
    """Wait until it is so; fails, saying for what it waited."""
    for _ in range(int(seconds * 5)):
        if said():
            return
        threading.Event().wait(0.2)
    raise AssertionError(f"waited {seconds:g} s for {what}")
