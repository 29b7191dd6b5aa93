"""How late does the video move?"""

from dataclasses import dataclass

from torch import Tensor

from s2v_ray.metrics.checks import checked_pair
from s2v_ray.metrics.motion import motion_energy
from s2v_ray.metrics.motion_correlation import pearson

# Two points always correlate by 1 or -1, which says nothing.
_LEAST_POINTS = 3
# Correlations closer than this are a tie.
_TIE = 1e-9


@dataclass(frozen=True)
class Lag:
    """`frames`: how late the generated video is (negative: early); `correlation`: that of the two, so shifted."""

    frames: int
    correlation: float


def lag_frames(generated_TCHW: Tensor, real_TCHW: Tensor, *, max_lag: int = 45) -> Lag | None:
    """The shift, within ±max_lag frames, at which the two videos' motion energies correlate best.

    Each shift is scored by Pearson's correlation over the frames that overlap, so neither level nor overlap
    favours one; an overlap must be at least half of the curve, and three points. Of equally good shifts the
    smallest is taken, late before early. None where no shift has a correlation, since one video never moves or
    moves equally in every frame. A low `correlation` means that the lag is not to be trusted.

    Videos [T, C, H, W] float in [-1, 1], T >= 4. Raises ValueError for any other input and for max_lag < 0.
    """
    if max_lag < 0:
        raise ValueError(f"max_lag is {max_lag}; it must not be negative.")
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW, least_frames=_LEAST_POINTS + 1)
    generated_T, real_T = motion_energy(generated_TCHW), motion_energy(real_TCHW)

    length = len(real_T)
    furthest = min(max_lag, length // 2, length - _LEAST_POINTS)
    best: Lag | None = None
    for lag in sorted(range(-furthest, furthest + 1), key=lambda lag: (abs(lag), -lag)):
        overlap = length - abs(lag)
        start = max(lag, 0)
        correlation = pearson(generated_T[start : start + overlap], real_T[start - lag : start - lag + overlap])
        if correlation is not None and (best is None or correlation > best.correlation + _TIE):
            best = Lag(lag, correlation)
    return best
