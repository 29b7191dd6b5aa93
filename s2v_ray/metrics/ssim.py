"""Structural similarity of a clip's frames."""

import torch
from torch import Tensor
from torch.nn import functional

from s2v_ray.metrics.checks import checked_mask, checked_pair
from s2v_ray.metrics.memo import once_per_video

# Of Wang et al. 2004: the side of the Gaussian window, its deviation, and K1 and K2 squared.
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
# Neighbouring frames are nearly alike: the mean over a third of them differs from that over all by 0.0001 to 0.01.
_EVERY = 3


def ssim(generated_TCHW: Tensor, real_TCHW: Tensor, *, where_HW: Tensor | None = None) -> float | None:
    """Mean SSIM (Wang et al. 2004) of every third frame, with pixels taken to [0, 1]: 1 for the real video.

    The frames are the second, the fifth and so on (the first is the input image), or the only one; channels are
    compared one by one; beyond the edge, frames continue mirrored, as in torchmetrics.
    `where_HW`, bool, picks the pixels whose similarity counts, such as `moving_mask`; None where it picks none.
    Videos [T, C, H, W] float in [-1, 1], H and W at least 11. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    height, width = real_TCHW.shape[-2:]
    if min(height, width) < _WINDOW:
        raise ValueError(f"Frames are {height}x{width}; SSIM's window needs at least {_WINDOW}x{_WINDOW}.")
    similarity_TCHW = _similarity(generated_TCHW, real_TCHW)
    if where_HW is not None:
        similarity_TCHW = similarity_TCHW[..., checked_mask(where_HW, real_TCHW)]
    return similarity_TCHW.mean(dtype=torch.float64).item() if similarity_TCHW.numel() else None


@once_per_video
def _similarity(generated_TCHW: Tensor, real_TCHW: Tensor) -> Tensor:
    """SSIM at each pixel, [T, C, H, W], of the frames that count."""
    # In float32, which is twice as fast. It costs three digits at most, where both frames are flat and differ in
    # level: off by 3e-4 there, by 1e-6 in frames with texture.
    first = min(1, len(real_TCHW) - 1)
    a_TCHW, b_TCHW = ((video[first::_EVERY].float() + 1) / 2 for video in (generated_TCHW, real_TCHW))
    down, across = (_gaussian_means(side) for side in a_TCHW.shape[-2:])

    # As matrix products: on a CPU some ten times as fast as convolutions with one channel.
    def blur(video_TCHW: Tensor) -> Tensor:
        return down @ video_TCHW @ across.T

    a_mean, b_mean = blur(a_TCHW), blur(b_TCHW)
    product, squares = a_mean * b_mean, a_mean.square() + b_mean.square()
    covariance = blur(a_TCHW * b_TCHW) - product
    variances = blur(a_TCHW.square() + b_TCHW.square()) - squares
    return (2 * product + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))


def _gaussian_means(side: int) -> Tensor:
    """A matrix [side, side] whose row p takes the Gaussian mean around p of what it is multiplied with."""
    edge = _WINDOW // 2
    window = torch.exp(-(torch.arange(_WINDOW) - edge).square() / (2 * _SIGMA**2))
    impulses = functional.pad(torch.eye(side)[None], (edge, edge), mode="reflect")[0]
    return (impulses.unfold(1, _WINDOW, 1) @ (window / window.sum())).T
