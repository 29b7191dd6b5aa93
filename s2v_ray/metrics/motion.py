"""How much a video moves, when, and where."""

import torch
from torch import Tensor

from s2v_ray.metrics.checks import checked_video
from s2v_ray.metrics.peaks import peaks

# A motion energy that varies no more than this over time is flat. Rounding pixels to float32, all alike in the
# worst case, makes an even motion vary by up to half of it.
FLAT = torch.finfo(torch.float32).eps
# Of [-1, 1]: six of 255 levels, above the noise of a coder or a camera, below all but the faintest movement.
MOVING = 0.05


def motion_energy(video_TCHW: Tensor) -> Tensor:
    """Motion energy [T-1]: mean |V_t - V_{t-1}| over channels and pixels, for t = 1 .. T-1.

    The video is float in [-1, 1] with at least two frames; the energies are float64 in [0, 2], on the CPU.
    Entry t-1 lies where frame t-1 ends and frame t starts, t / fps seconds after the clip's start.
    Raises ValueError for any other input.
    """
    video_TCHW = checked_video("video_TCHW", video_TCHW, least_frames=2)
    return video_TCHW.diff(dim=0).abs_().mean(dim=(1, 2, 3))


def motion_peaks(video_TCHW: Tensor) -> list[int]:
    """The frames that start where motion energy peaks. Input as for `motion_energy`."""
    return [place + 1 for place in peaks(motion_energy(video_TCHW), flat=FLAT)]


def moving_mask(real_TCHW: Tensor) -> Tensor:
    """What moves, bool [H, W]: pixels whose standard deviation over time, the root of the channels' mean variance,
    is above 0.05 (six of 255 levels).

    The video is float in [-1, 1], [T, C, H, W]. Raises ValueError for any other input.
    """
    real_TCHW = checked_video("real_TCHW", real_TCHW)
    variance_CHW = real_TCHW.square().mean(0) - real_TCHW.mean(0).square()
    return variance_CHW.mean(0) > MOVING**2
