"""Waiting for other processes."""

import threading
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], what: str, seconds: float = 240, log: Callable[[], str] = lambda: ""
) -> None:
    """Wait until the condition holds. Fails after `seconds`, naming `what` it waited for, with the log of then."""
    for _ in range(int(seconds * 5)):
        if condition():
            return
        threading.Event().wait(0.2)
    raise AssertionError(f"waited {seconds:g} s for {what}\n{log()}")
