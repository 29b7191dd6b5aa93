"""What a sweep maximises: motion that the sound explains, without buying it with blur.

Squared error prefers the mean of what can't be predicted: of two models with the same motion the blurrier one scores
higher, and λ → 0 would win. So the score subtracts a penalty if a setting is blurrier than the preset trained as long
on the same clips, or worse where nothing moves, by more than noise. How sharp a model can be differs between domains:
a fixed threshold would be loose for one and out of reach for another.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

OBJECTIVES = ("score", "sync", "appearance")
_MARGIN = 0.15  # octaves that may be noise: two seeds of a setting differ by about half of that
# The penalty of an octave below a floor, and the largest: half an octave costs as much as sync can gain.
_COST, _MOST = 4.0, 2.0
_ONE_PERCENT = 0.01
_LEAST_ERROR = 1 / 255  # one level, the least visible difference


@dataclass(frozen=True)
class Floors:
    """The least sharpness (octaves, 0 is real) and the largest appearance error (of 1) without a penalty."""

    sharpness: float
    appearance_error: float


def floors_beside(preset: Mapping[str, float]) -> Floors:
    """The floors from the preset's validation metrics: a tenth less sharpness or a tenth more error may be noise."""
    return Floors(preset["sharpness"] - _MARGIN, preset["appearance_error"] * 2**_MARGIN)


def objective_values(metrics: Mapping[str, float], floors: Floors | None) -> dict[str, float]:
    """Each of OBJECTIVES from a model's validation metrics; higher is better.

    `sync` is motion explained plus matched − mismatched motion correlation, at best 2. `appearance` is minus the
    octaves by which sharpness differs from the real video's where it moves, minus those by which the error where
    nothing moves exceeds one percent. `score` is `sync` minus four for each octave below the floors, at most two.
    """
    sync = metrics["motion_explained"] + metrics["matched_minus_mismatched"]
    error = math.log2(max(metrics["appearance_error"], _LEAST_ERROR) / _ONE_PERCENT)
    return {
        "score": sync - min(_COST * octaves_below(metrics, floors), _MOST),
        "sync": sync,
        "appearance": -abs(metrics["sharpness"]) - error,
    }


def octaves_below(metrics: Mapping[str, float], floors: Floors | None) -> float:
    """The octaves below both floors together; 0 without floors."""
    if floors is None:
        return 0.0
    largest, error = (max(value, _LEAST_ERROR) for value in (floors.appearance_error, metrics["appearance_error"]))
    return max(0.0, floors.sharpness - metrics["sharpness"]) + max(0.0, math.log2(error / largest))
