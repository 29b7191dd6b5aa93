"""Errors of pixels, summed over a clip's frames and channels: all that L1, PSNR and squared errors need."""

import torch
from torch import Tensor

from s2v_ray.metrics.memo import once_per_video

FRAMES_AT_ONCE = 4  # they stay in the processor's cache


@once_per_video
def pixel_errors(generated_TCHW: Tensor, real_TCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Sums [H, W], float64, over frames and channels of absolute and of squared differences of a `checked_pair`."""
    absolute_HW, squared_HW = torch.zeros(2, *real_TCHW.shape[2:], dtype=torch.float64)
    for some, others in zip(generated_TCHW.split(FRAMES_AT_ONCE), real_TCHW.split(FRAMES_AT_ONCE), strict=True):
        difference_TCHW = some.double() - others
        absolute_HW += difference_TCHW.abs().sum((0, 1))
        squared_HW += difference_TCHW.square_().sum((0, 1))
    return absolute_HW, squared_HW


def mean_where(sums_HW: Tensor, where_HW: Tensor | None, video_TCHW: Tensor) -> float | None:
    """The mean over a video's values of what was summed over its frames and channels; None where a mask picks none."""
    picked = sums_HW if where_HW is None else sums_HW[where_HW]
    frames, channels = video_TCHW.shape[:2]
    return picked.mean().item() / (frames * channels) if picked.numel() else None
