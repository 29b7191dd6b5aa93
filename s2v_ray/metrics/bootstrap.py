"""How sure is a mean over sources?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean over `count` sources and its interval; `low` and `high` are None where one source allows none."""

    mean: float
    low: float | None
    high: float | None
    count: int


def interval(values_per_source: Sequence[float], *, seed: int, resamples: int = 2000, level: float = 0.95) -> Interval:
    """The mean of one value a source, with its percentile bootstrap interval (Efron 1979).

    Sources are resampled with replacement, never clips, since the clips of one source are alike. The same
    seed gives the same interval. Raises ValueError where there are no values, or one is not finite.
    """
    values = np.asarray(values_per_source, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"values_per_source is {values}; it must hold one finite value a source.")
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, None, None, 1)
    means = np.random.default_rng(seed).choice(values, (resamples, values.size)).mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), values.size)
