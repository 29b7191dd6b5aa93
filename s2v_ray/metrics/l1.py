"""How far off are the pixels, on average?"""

from torch import Tensor

from s2v_ray.metrics.checks import checked_mask, checked_pair


def l1(generated_TCHW: Tensor, real_TCHW: Tensor, *, where_HW: Tensor | None = None) -> float | None:
    """Mean absolute error of pixels taken to [0, 1]: 0 for the real video, at most 1.

    That is half of the same error on the videos' own scale, float in [-1, 1], which the loss uses.
    `where_HW`, bool, picks the pixels; None where it picks none. Over those that `moving_mask` picks, it is the error
    of what moves; over the others, the error of the appearance around it.
    Videos [T, C, H, W]. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    if where_HW is not None:
        where_HW = checked_mask(where_HW, real_TCHW)
        generated_TCHW, real_TCHW = generated_TCHW[..., where_HW], real_TCHW[..., where_HW]
    return (generated_TCHW - real_TCHW).abs_().mean().item() / 2 if real_TCHW.numel() else None
