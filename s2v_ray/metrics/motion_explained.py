"""Headline 2: how much of where and how things move does the sound explain?"""

import math

from torch import Tensor

from s2v_ray.metrics.checks import checked_pair
from s2v_ray.metrics.pixel_errors import pixel_errors


def squared_error(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """‖V − Ṽ‖²: the sum of squared differences over a clip's frames, channels and pixels.

    Videos [T, C, H, W] float in [-1, 1]. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    return pixel_errors(generated_TCHW, real_TCHW)[1].sum().item()


def motion_explained(*, model: float, frozen: float, sound_blind: float) -> float:
    """1 − Σ‖V − Ṽ‖² / Σ‖V − B‖² of one source: 1 for the real video, 0 for B, without lower bound.

    B is the better, over the whole source, of the two that don't hear. `model`, `frozen` and `sound_blind` are squared
    errors summed over the source's clips: of the model, of the input image held still, and of the model's mean
    output over other sources' sounds; with `frozen` for `sound_blind`, too, the score is easier: such a mean can reach
    0.5. Where B has no error, as for a video that never moves, the score is undefined and counts 0. Raises ValueError
    for an error that is negative or not finite.
    """
    for name, error in {"model": model, "frozen": frozen, "sound_blind": sound_blind}.items():
        if not (math.isfinite(error) and error >= 0):
            raise ValueError(f"{name} is {error}; a squared error must be finite and not negative.")
    baseline = min(frozen, sound_blind)
    return 1 - model / baseline if baseline > 0 else 0.0
