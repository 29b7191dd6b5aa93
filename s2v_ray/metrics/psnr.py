"""Peak signal-to-noise ratio of a clip."""

import math

from torch import Tensor

from s2v_ray.metrics.checks import checked_mask, checked_pair
from s2v_ray.metrics.pixel_errors import mean_where, pixel_errors

CAP_DB = 100.0


def psnr(generated_TCHW: Tensor, real_TCHW: Tensor, *, where_HW: Tensor | None = None) -> float | None:
    """10 log10(1 / MSE) in dB, with pixels taken to [0, 1]; at most 100 dB, which the real video scores.

    The MSE is that of the whole clip: a mean of per-frame values would be dominated by the frames that are nearly
    right, such as the first, which is the input image and whose own value may be infinite.
    `where_HW`, bool, picks the pixels, such as `moving_mask`; None where it picks none.
    Videos [T, C, H, W] float in [-1, 1]. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    where_HW = None if where_HW is None else checked_mask(where_HW, real_TCHW)
    error = mean_where(pixel_errors(generated_TCHW, real_TCHW)[1], where_HW, real_TCHW)
    if error is None:
        return None
    return min(-10 * math.log10(error / 4), CAP_DB) if error > 0 else CAP_DB
