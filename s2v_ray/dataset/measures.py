"""What is measured of a clip, and the limits on it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measures:
    """What is measured of one clip."""

    loudness_db: float  # root mean square of the sound in dB of full scale, at least -100
    motion: float  # mean |V_t - V_{t-1}| of a video in [0, 1]
    camera_motion: float  # how fast the calmest quarter of the frame moves, in widths of the frame a second
    scene_cut: float  # how much, in [0, 1], the frames change abruptly and lastingly
    sync_correlation: float  # of motion and loudness over time, in [-1, 1]
    lag_frames: float  # the shift at which they correlate best; positive if the sound comes after the motion
    lag_confidence: float  # how much better, in [0, 1], they correlate there than at other shifts


@dataclass(frozen=True)
class QualityLimits:
    """Which clips are good enough.

    With the sound of another clip, fewer than one clip in a hundred reaches a lag confidence of 0.4.
    """

    min_loudness_db: float = -60.0
    """quieter clips are rejected as `silent`; in dB of full scale"""
    min_motion: float = 0.0005
    """clips that change less are `still_picture`; mean change from frame to frame, 0 to 1"""
    max_camera_motion: float = 0.06
    """clips that move faster as a whole are `camera_moves`; in widths of the frame a second"""
    max_scene_cut: float = 0.03
    """clips with a larger abrupt and lasting change are `scene_cut`; 0 to 1"""
    max_lag_frames: int | None = None
    """clips whose sound and motion are further apart, with confidence, are `lag`; any allows any lag"""
    min_lag_confidence: float = 0.4
    """the least confidence in the lag for that, 0 to 1"""
