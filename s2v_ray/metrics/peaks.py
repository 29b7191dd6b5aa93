"""When do motion and sound peak, and how many moments do two lists have in common?"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from s2v_ray.metrics.bands import band_levels

# Neighbours this near, in frames, are one event.
_REACH = 3
# A sound whose rises vary less than this has no onsets; those of steady noise vary by 0.5 dB.
_STEADY_DB = 0.7


def peaks(curve_T: Tensor, *, flat: float) -> list[int]:
    """Indices of the peaks of a curve [T]: no neighbour within ±3 is higher, and it is the first of equal ones;
    it exceeds the curve's mean by at least a standard deviation. None in a curve whose deviation is at most `flat`.
    """
    if len(curve_T) == 0:
        return []
    curve_T = curve_T.double()
    deviation = curve_T.std(correction=0)
    if deviation <= flat:
        return []
    padded = functional.pad(curve_T[None], (_REACH, _REACH), value=-torch.inf)
    around_TW = padded[0].unfold(0, 2 * _REACH + 1, 1)
    highest_T = around_TW.argmax(1) == _REACH  # the first of equal ones
    return torch.nonzero(highest_T & (curve_T >= curve_T.mean() + deviation)).flatten().tolist()


def rises(curve_T: Tensor) -> Tensor:
    """By how much a curve [T], or each of [T, N], rises at each of its steps, [T-1] or [T-1, N]; falls are 0."""
    return curve_T.diff(dim=0).clamp(min=0)


def sound_onsets(wave_S: Tensor, *, frames: int, sample_rate: int) -> list[int]:
    """The frames in which a sound starts or grows suddenly.

    They are the peaks of the spectral flux (Bello et al. 2005): the mean over bands of the rise in level, in dB, from
    one frame to the next. Input as for `band_levels`; raises ValueError for any other.
    """
    level_TB = band_levels(wave_S, frames=frames, sample_rate=sample_rate)
    return [index + 1 for index in peaks(rises(level_TB).mean(1), flat=_STEADY_DB)]


def matched(first: Sequence[int], second: Sequence[int], *, within: float) -> int:
    """How many moments of one sorted list pair up with one of the other at most `within` away, one to one."""
    pairs = index = 0
    for moment in first:
        while index < len(second) and second[index] < moment - within:
            index += 1
        if index < len(second) and second[index] <= moment + within:
            pairs, index = pairs + 1, index + 1
    return pairs
