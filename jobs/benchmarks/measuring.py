"""Fair timing: the sides of a comparison take turns in one run, so that a noisy machine slows them all."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """Two figures from the same run, in the same unit, and what they measure."""

    name: str
    ours: float
    baseline: float

    @property
    def ratio(self) -> float:
        """Ours over the baseline."""
        return self.ours / self.baseline


def alternate(sides: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """The median seconds of each side, run alternately `repeats` times after a warm-up turn."""
    seconds: list[list[float]] = [[] for _ in sides]
    for turn in range(repeats + 1):
        for side, spent in zip(sides, seconds, strict=True):
            start = time.perf_counter()
            side()
            if turn:
                spent.append(time.perf_counter() - start)
    return [statistics.median(spent) for spent in seconds]
