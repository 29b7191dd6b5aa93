"""What is measured of a clip, and what it must keep to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measures:
    """What was measured of one window.

    `loudness_db`: root mean square of the sound in dB of full scale, at least -100. `motion`: mean |V_t - V_{t-1}| of
    a video in [0, 1]. `camera_motion`: how fast the calmest quarter of the picture moves, in sides of the picture a
    second. `scene_cut`: how much, in [0, 1], the picture changes at once and for good. Of motion and loudness over
    time: `sync_correlation` is how they correlate as they lie, in [-1, 1]; `lag_frames`, at which shift they correlate
    best (positive: the sound comes after the motion); `lag_confidence`, in [0, 1], by how much that is
    better than at other shifts.
    """

    loudness_db: float
    motion: float
    camera_motion: float
    scene_cut: float
    sync_correlation: float
    lag_frames: float
    lag_confidence: float


@dataclass(frozen=True)
class QualityLimits:
    """What a window must keep to; `max_lag_frames` None leaves the lag alone.

    Of sounds laid under another clip's motion, fewer than one in a hundred reach a confidence of 0.4.
    """

    min_loudness_db: float = -60.0
    """quieter windows are `silent`; dB of full scale"""
    min_motion: float = 0.0005
    """windows that change less are `still_picture`; mean change from frame to frame, of 1"""
    max_camera_motion: float = 0.06
    """windows that move more as a whole are `camera_moves`; sides of the picture a second"""
    max_scene_cut: float = 0.03
    """windows that change more at once and for good are `scene_cut`; of 1"""
    max_lag_frames: int | None = None
    """windows whose sound is surely further from their motion are `lag`; None leaves it alone"""
    min_lag_confidence: float = 0.4
    """how sure of the lag one must be for that, of 1"""
