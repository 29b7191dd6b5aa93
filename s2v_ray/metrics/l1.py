"""How far off are the pixels, on average?"""

from torch import Tensor

from s2v_ray.metrics.checks import checked_mask, checked_pair
from s2v_ray.metrics.pixel_errors import mean_where, pixel_errors


def l1(generated_TCHW: Tensor, real_TCHW: Tensor, *, where_HW: Tensor | None = None) -> float | None:
    """Mean absolute error of pixels taken to [0, 1], half of the loss's: 0 for the real video, at most 1.

    `where_HW`, bool, picks the pixels; None where it picks none. Over those that `moving_mask` picks, it is the error
    of what moves; over the others, the error of the appearance around it.
    Videos [T, C, H, W] float in [-1, 1]. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    where_HW = None if where_HW is None else checked_mask(where_HW, real_TCHW)
    error = mean_where(pixel_errors(generated_TCHW, real_TCHW)[0], where_HW, real_TCHW)
    return None if error is None else error / 2
