"""An actor that remembers tries, since Ray repeats a task whose process died, and the task does not know it."""

import time
from itertools import pairwise


class Tries:
    """How often each piece of work was started, by its name, and what became of it."""

    def __init__(self) -> None:
        self._started: dict[str, list[float]] = {}
        self._results: dict[str, int] = {}

    def start(self, name: str) -> list[float]:
        """Note that a try starts; returns how many seconds each earlier one lasted."""
        started = self._started.setdefault(name, [])
        started.append(time.monotonic())
        return [later - earlier for earlier, later in pairwise(started)]

    def finish(self, name: str, result: int | None = None) -> None:
        """Forget the tries at what is done; keep its result, if there is one, until `forget`."""
        self._started.pop(name, None)
        if result is not None:
            self._results[name] = result

    def result(self, name: str) -> int | None:
        """What `finish` was told; None while this is not done."""
        return self._results.get(name)

    def forget(self, names: list[str]) -> None:
        """Forget results: this may be done again if a machine is lost."""
        for name in names:
            self._results.pop(name, None)
