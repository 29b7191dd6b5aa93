"""What a sweep looks for: motion that the sound explains, not bought with blur.

Squared error prefers the mean of what it can't know, so that of two models with the same motion, the blurred one scores
higher, and λ → 0 would win. So a setting may not look worse than the preset, trained as long on the same clips: where
it is blurrier, or worse where nothing moves, by more than the noise, that is subtracted. How sharp a model can be
differs between domains, so that one threshold for all would be loose here and out of reach there.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

OBJECTIVES = ("score", "sync", "appearance")
# What may be noise, in octaves: two seeds of a setting differ by about half of it.
_MARGIN = 0.15
# What an octave below a floor costs: half an octave takes away all that sync can give, and more costs no more.
_COST, _MOST = 4.0, 2.0
_ONE_PERCENT = 0.01
_LEAST_ERROR = 1 / 255  # one level: nobody sees less


@dataclass(frozen=True)
class Floors:
    """The least sharpness (octaves, 0 is real) and the largest appearance error (of 1) that cost nothing."""

    sharpness: float
    appearance_error: float


def floors_beside(preset: Mapping[str, float]) -> Floors:
    """The floors, from the preset's validation scores: a tenth less sharp, or a tenth more error, may be noise."""
    return Floors(preset["sharpness"] - _MARGIN, preset["appearance_error"] * 2**_MARGIN)


def objective_values(scores: Mapping[str, float], floors: Floors | None) -> dict[str, float]:
    """Each of OBJECTIVES, higher is better, of a model's validation scores.

    `sync` is motion explained plus matched − mismatched motion correlation, at best 2. `appearance` is minus the octaves
    by which it is less (or more) sharp than the real video where things move, minus those by which its error where
    nothing moves exceeds one percent. `score` is `sync` minus four for each octave below the floors, at most two.
    """
    sync = scores["motion_explained"] + scores["matched_minus_mismatched"]
    error = math.log2(max(scores["appearance_error"], _LEAST_ERROR) / _ONE_PERCENT)
    return {
        "score": sync - min(_COST * octaves_below(scores, floors), _MOST),
        "sync": sync,
        "appearance": -abs(scores["sharpness"]) - error,
    }


def octaves_below(scores: Mapping[str, float], floors: Floors | None) -> float:
    """How far below the floors, both together; 0 where there are none."""
    if floors is None:
        return 0.0
    least, most = (max(error, _LEAST_ERROR) for error in (floors.appearance_error, scores["appearance_error"]))
    return max(0.0, floors.sharpness - scores["sharpness"]) + max(0.0, math.log2(most / least))
