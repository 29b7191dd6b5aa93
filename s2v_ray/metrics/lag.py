"""How late is one curve over time beside another? Each shift is scored by Pearson's correlation over the overlap."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from s2v_ray.metrics.correlation import pearson

MAX_LAG_FRAMES = 45
# Two points always correlate by 1 or -1, which says nothing.
LEAST_POINTS = 3
# Correlations closer than this are a tie.
_TIE = 1e-9
# A wider peak of the correlation says nothing about the lag.
_PEAK_FRAMES = 10


@dataclass(frozen=True)
class Lag:
    """`frames`: how late a curve is (negative: early); `correlation`: that of the two at this shift."""

    frames: int
    correlation: float


class SoundLag(NamedTuple):
    """How sound and motion fit: unshifted `correlation`, best lag in `frames`, and `confidence` in it, in [0, 1]."""

    correlation: float
    frames: int
    confidence: float


def lag_correlations(curve_T: np.ndarray, reference_T: np.ndarray, max_lag: int) -> np.ndarray:
    """Pearson's correlations [2L + 1] of two curves [T], the first being -L .. L entries late; NaN where undefined.

    Neither level nor overlap favours a shift. L is `max_lag`, or less: at least half of the curves and three points
    must overlap. Empty for fewer than three points.
    """
    length = len(reference_T)
    furthest = min(max_lag, length // 2, length - LEAST_POINTS)
    found = [
        pearson(curve_T[max(lag, 0) : length + min(lag, 0)], reference_T[max(-lag, 0) : length - max(lag, 0)])
        for lag in range(-furthest, furthest + 1)
    ]
    return np.array([np.nan if correlation is None else correlation for correlation in found])


def best_lag(curve_T: np.ndarray, reference_T: np.ndarray, max_lag: int = MAX_LAG_FRAMES) -> Lag | None:
    """The shift at which two curves correlate best; of equally good ones the smallest, late before early.

    None where no shift has a correlation, since one curve is flat.
    """
    correlations = lag_correlations(curve_T, reference_T, max_lag)
    furthest = len(correlations) // 2
    best: Lag | None = None
    for index in sorted(range(len(correlations)), key=lambda index: (abs(index - furthest), -index)):
        correlation = float(correlations[index])
        if not np.isnan(correlation) and (best is None or correlation > best.correlation + _TIE):
            best = Lag(index - furthest, correlation)
    return best


def sound_lag(motion_T: np.ndarray, loudness_T: np.ndarray) -> SoundLag:
    """How a clip's motion energy and its loudness in dB between frames, [T] each, fit. Positive: the sound is late.

    Confidence is how far the best correlation exceeds all that are not part of its peak; 0 where that lies at the end
    of the search, and where a curve is flat.
    """
    sharp_motion_T = np.sqrt(motion_T)  # so that a single burst does not dominate
    scores = np.nan_to_num(lag_correlations(loudness_T, sharp_motion_T, MAX_LAG_FRAMES))
    if len(scores) < 3:
        return SoundLag(pearson(loudness_T, sharp_motion_T) or 0.0, 0, 0.0)
    furthest, best = len(scores) // 2, int(np.argmax(scores))
    peak = scores[best]
    if peak <= 0:
        return SoundLag(float(scores[furthest]), 0, 0.0)
    left = right = best  # down both slopes of the peak
    while left > max(0, best - _PEAK_FRAMES) and scores[left - 1] <= scores[left]:
        left -= 1
    while right < min(len(scores) - 1, best + _PEAK_FRAMES) and scores[right + 1] <= scores[right]:
        right += 1
    others = np.concatenate([scores[:left], scores[right + 1 :]])
    is_inside = 0 < best < len(scores) - 1  # at the end of the search it may rise further
    confidence = float(peak - others.max(initial=0.0)) if is_inside else 0.0
    return SoundLag(float(scores[furthest]), best - furthest, confidence)
