"""How much a video moves, frame by frame."""

from torch import Tensor

from s2v_ray.metrics.checks import checked_video


def motion_energy(video_TCHW: Tensor) -> Tensor:
    """Motion energy [T-1]: mean |V_t - V_{t-1}| over channels and pixels, for t = 1 .. T-1.

    The video is float in [-1, 1] with at least two frames; the energies are float64 in [0, 2], on the CPU.
    Entry t-1 lies where frame t-1 ends and frame t starts, t / fps seconds after the clip's start.
    Raises ValueError for any other input.
    """
    video_TCHW = checked_video("video_TCHW", video_TCHW, least_frames=2)
    return video_TCHW.diff(dim=0).abs().mean(dim=(1, 2, 3))
