"""Does the video start to move when the real one does?"""

from torch import Tensor

from s2v_ray.metrics.checks import checked_pair
from s2v_ray.metrics.correlation import FLAT
from s2v_ray.metrics.peaks import matched, peaks, rises
from s2v_ray.metrics.video_motion import video_motion_energy


def onset_f1(
    generated_TCHW: Tensor, real_TCHW: Tensor, *, frame_rate: float, within_seconds: float = 0.1
) -> float | None:
    """F1 of the generated video's motion onsets against the real one's: in [0, 1], 1 for the real video.

    An onset is a peak of the rise of motion energy (`peaks`). A hit lies at most `within_seconds` away, and each
    onset is hit once: 2 · hits / (onsets of the one + onsets of the other). None where neither has an onset.
    Videos [T, C, H, W] float in [-1, 1], T >= 3. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW, least_frames=3)
    generated, real = (peaks(rises(video_motion_energy(video)), flat=FLAT) for video in (generated_TCHW, real_TCHW))
    if not generated and not real:
        return None
    # A hair more, so that 0.1 s is three frames at 30 a second.
    hits = matched(generated, real, within=within_seconds * frame_rate + 1e-6)
    return 2 * hits / (len(generated) + len(real))
