"""Headline 2: how much of where and how things move does the sound explain?"""

import math
import warnings

import numpy as np
from torch import Tensor

from s2v_ray.metrics.checks import checked_pair
from s2v_ray.metrics.pixel_errors import pixel_errors

_MOST = 2.0  # times the baseline's error


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


def pooled_motion_explained(errors: np.ndarray) -> np.ndarray:
    """1 − ΣE / ΣB over sources, in [-1, 1], of `errors` [..., S, 2]: each source's E, the model's, and B, as above.

    Errors are pooled before dividing, so that a source that hardly moves, whose own 1 − E / B is anything, hardly
    counts. What one source can do is bounded twice: E counts at most 2 B, so that none gets below -1, and both are
    scaled down where B exceeds the median B of the sources that move. So of n sources that move, none has more than
    2/n of the weight, and neither a still nor a wild one decides. 0 where none moves.
    """
    model, baseline = errors[..., 0], errors[..., 1]
    moving = np.where(baseline > 0, baseline, np.nan)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of nothing but NaN
        median = np.nan_to_num(np.nanmedian(moving, axis=-1, keepdims=True))
    weight = np.minimum(baseline, median)
    explained = 1 - np.minimum(model / np.where(baseline > 0, baseline, 1), _MOST)
    total = weight.sum(-1)
    return np.asarray((weight * explained).sum(-1) / np.where(total > 0, total, 1))
