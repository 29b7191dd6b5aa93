"""Counting the tries at each item of a pipeline, for those that take their process down."""

import time
from itertools import pairwise


class Tries:
    """An actor that remembers the tries at each item: a task does not know which of its tries it is."""

    def __init__(self) -> None:
        self._started: dict[str, list[float]] = {}

    def start(self, name: str) -> list[float]:
        """Note that a try starts; returns how many seconds each earlier one lasted."""
        started = self._started.setdefault(name, [])
        started.append(time.monotonic())
        return [later - earlier for earlier, later in pairwise(started)]

    def finish(self, name: str) -> None:
        """Forget the tries at an item that is done: it may be done again if a machine is lost."""
        self._started.pop(name, None)
