"""Is the video as sharp as the real one?"""

import math

import torch
from torch import Tensor

from s2v_ray.metrics.checks import checked_mask, checked_pair
from s2v_ray.metrics.memo import once_per_video
from s2v_ray.metrics.pixel_errors import FRAMES_AT_ONCE

# Of [-1, 1]: frames with less are flat.
_FLAT = 1e-4


def sharpness(generated_TCHW: Tensor, real_TCHW: Tensor, *, where_HW: Tensor | None = None) -> float | None:
    """log2 of the generated video's mean gradient over the real one's: 0 for the real video, -1 for half of it.

    The gradient is √(∂x² + ∂y²) of differences to the next pixel right and below, averaged over frames, channels and
    pixels. `where_HW`, bool, picks the pixels, such as `moving_mask`: what does not move, a model copies from its
    image. None where it picks none, or either video has no gradients there.
    Videos [T, C, H, W] float in [-1, 1], H and W at least 2. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    height, width = real_TCHW.shape[-2:]
    if min(height, width) < 2:
        raise ValueError(f"Frames are {height}x{width}; gradients need at least 2x2.")
    where = checked_mask(where_HW, real_TCHW) if where_HW is not None else torch.ones(height, width, dtype=torch.bool)
    where = where[:-1, :-1]
    if not where.any():
        return None
    generated, real = (_mean_gradients(video)[where].mean().item() for video in (generated_TCHW, real_TCHW))
    return math.log2(generated / real) if min(generated, real) > _FLAT else None


@once_per_video
def _mean_gradients(video_TCHW: Tensor) -> Tensor:
    """Over frames and channels, [H - 1, W - 1]."""
    frames, channels, height, width = video_TCHW.shape
    sum_HW = torch.zeros(height - 1, width - 1, dtype=torch.float64)
    for some in video_TCHW.split(FRAMES_AT_ONCE):
        corner = some[..., :-1, :-1]
        right, below = some[..., :-1, 1:] - corner, some[..., 1:, :-1] - corner
        sum_HW += right.square_().add_(below.square_()).sqrt_().sum((0, 1))
    return sum_HW / (frames * channels)
