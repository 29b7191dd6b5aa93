"""Structural similarity of a clip's frames."""

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from s2v_ray.metrics.checks import checked_pair

# The side of the Gaussian window of Wang et al. 2004 (sigma 1.5).
_WINDOW = 11


def ssim(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """Mean over the frames of SSIM (Wang et al. 2004), with pixels taken to [0, 1]: 1 for the real video.

    Videos [T, C, H, W] float in [-1, 1], H and W at least 11. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    height, width = real_TCHW.shape[-2:]
    if min(height, width) < _WINDOW:
        raise ValueError(f"Frames are {height}x{width}; SSIM's window needs at least {_WINDOW}x{_WINDOW}.")
    # In float32, since float64's convolutions take some twenty times as long on a CPU. It costs three digits at
    # most, where both pictures are flat and differ in level: off by 3e-4 there, by 1e-7 in pictures with texture.
    generated_TCHW, real_TCHW = (generated_TCHW.float() + 1) / 2, (real_TCHW.float() + 1) / 2
    similarity = structural_similarity_index_measure(generated_TCHW, real_TCHW, data_range=1.0)
    assert isinstance(similarity, Tensor)  # a tuple only where the full map is asked for
    return similarity.item()
