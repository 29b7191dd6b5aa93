"""When and where videos move, and whether one moves when another does.

Videos are [T, C, H, W] float in [-1, 1]; all functions raise ValueError for any other input.
"""

import numpy as np
import torch
from torch import Tensor

from s2v_ray.metrics.checks import checked_pair, checked_video
from s2v_ray.metrics.correlation import FLAT, pearson
from s2v_ray.metrics.lag import LEAST_POINTS, Lag, best_lag
from s2v_ray.metrics.memo import once_per_video
from s2v_ray.metrics.motion import motion_energy
from s2v_ray.metrics.peaks import peaks

# Of [-1, 1]: six of 255 levels, above the noise of a coder or a camera, below all but the faintest movement.
MOVING = 0.05


def video_motion_energy(video_TCHW: Tensor) -> Tensor:
    """`motion_energy` [T-1] of a video with at least two frames: float64 in [0, 2], on the CPU."""
    return torch.from_numpy(_energy(checked_video("video_TCHW", video_TCHW, least_frames=2)))


def motion_peaks(video_TCHW: Tensor) -> list[int]:
    """The frames that start where motion energy peaks. Input as for `video_motion_energy`."""
    return [index + 1 for index in peaks(video_motion_energy(video_TCHW), flat=FLAT)]


def moving_mask(real_TCHW: Tensor) -> Tensor:
    """What moves, bool [H, W]: pixels whose standard deviation over time, the root of the channels' mean variance,
    is above 0.05 (six of 255 levels).
    """
    real_TCHW = checked_video("real_TCHW", real_TCHW)
    real_TCHW = real_TCHW.double()
    variance_CHW = real_TCHW.square().mean(0) - real_TCHW.mean(0).square()
    return variance_CHW.mean(0) > MOVING**2


def motion_correlation(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """Headline 1: Pearson's correlation, over time, of two videos' motion energies: in [-1, 1], 1 for the real video.

    T >= 3. Where it is undefined, because one of the two never moves or moves equally in every frame, it counts 0.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW, least_frames=3)
    return pearson(_energy(generated_TCHW), _energy(real_TCHW)) or 0.0


def lag_frames(generated_TCHW: Tensor, real_TCHW: Tensor) -> Lag | None:
    """`best_lag` of two videos' motion energies: how late the generated video moves; T >= 4.

    None where one video never moves or moves equally in every frame. A low `correlation` means that the lag is not to
    be trusted.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW, least_frames=LEAST_POINTS + 1)
    return best_lag(_energy(generated_TCHW), _energy(real_TCHW))


@once_per_video
def _energy(video_TCHW: Tensor) -> np.ndarray:
    return motion_energy(video_TCHW.numpy())
