"""Does the video shimmer where nothing should move?"""

import torch
from torch import Tensor

from s2v_ray.metrics.checks import checked_mask, checked_video
from s2v_ray.metrics.pixel_errors import FRAMES_AT_ONCE, mean_where


def flicker(video_TCHW: Tensor, *, still_HW: Tensor) -> float | None:
    """Mean absolute change from frame to frame, of pixels taken to [0, 1], where the real video is still: in [0, 1].

    `still_HW` is what `moving_mask` of the real video leaves; None where that is nothing. The real video's own value is
    the noise of its camera and its coder; a frozen image has 0.
    The video is [T, C, H, W] float in [-1, 1], T >= 2. Raises ValueError for any other input.
    """
    video_TCHW = checked_video("video_TCHW", video_TCHW, least_frames=2)
    still_HW = checked_mask(still_HW, video_TCHW)
    change_HW = torch.zeros(video_TCHW.shape[2:], dtype=torch.float64)
    for after, before in zip(video_TCHW[1:].split(FRAMES_AT_ONCE), video_TCHW[:-1].split(FRAMES_AT_ONCE), strict=True):
        change_HW += (after - before).abs_().sum((0, 1))
    change = mean_where(change_HW, still_HW, video_TCHW[1:])
    return None if change is None else change / 2
