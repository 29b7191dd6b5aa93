"""How sure is a mean over sources?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean, or another statistic, over `count` sources and its interval.

    `low` and `high` are None where one source allows none.
    """

    mean: float
    low: float | None
    high: float | None
    count: int


def _mean(values_RS: np.ndarray) -> np.ndarray:
    return np.asarray(values_RS.mean(1))


def interval(
    values_per_source: Sequence[float] | Sequence[tuple[float, ...]],
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
    statistic: Callable[[np.ndarray], np.ndarray] = _mean,
) -> Interval:
    """The mean of one value a source, with its percentile bootstrap interval (Efron 1979).

    Sources are resampled with replacement, never clips, since the clips of one source are alike. The same
    seed gives the same interval. Another `statistic` takes R resamples of S sources, [R, S] or, with K values a source,
    [R, S, K], to [R]. Raises ValueError where there are no values, or one is not finite.
    """
    values = np.asarray(values_per_source, dtype=np.float64)
    if values.ndim not in (1, 2) or not values.size or not np.isfinite(values).all():
        raise ValueError(f"values_per_source is {values}; it must hold finite values of each source.")
    mean = float(statistic(values[None])[0])
    if len(values) == 1:
        return Interval(mean, None, None, 1)
    means = statistic(np.random.default_rng(seed).choice(values, (resamples, len(values))))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), len(values))
