"""Peak signal-to-noise ratio of a clip."""

from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from s2v_ray.metrics.checks import checked_pair

CAP_DB = 100.0


def psnr(generated_TCHW: Tensor, real_TCHW: Tensor, *, where_HW: Tensor | None = None) -> float | None:
    """10 log10(1 / MSE) in dB, with pixels taken to [0, 1]; at most 100 dB, which the real video scores.

    The MSE is that of the whole clip: a mean of per-frame values would be dominated by the frames that are nearly
    right, such as the first, which is the input image and whose own value may be infinite.
    `where_HW`, bool, picks the pixels, such as `moving_mask`; None where it picks none.
    Videos [T, C, H, W] float in [-1, 1]. Raises ValueError for any other input.
    """
    generated, real = checked_pair(generated_TCHW, real_TCHW, where_HW)
    if not real.numel():
        return None
    decibels = peak_signal_noise_ratio((generated + 1) / 2, (real + 1) / 2, data_range=1.0)
    return min(decibels.item(), CAP_DB)
