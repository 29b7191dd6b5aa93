"""How far off are the pixels, on average?"""

from torch import Tensor

from s2v_ray.metrics.checks import checked_pair


def l1(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """Mean absolute error of pixels taken to [0, 1]: 0 for the real video, at most 1.

    That is half of the same error on the videos' own scale, float in [-1, 1], which the loss uses.
    Videos [T, C, H, W]. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    return (generated_TCHW - real_TCHW).abs().mean().item() / 2
