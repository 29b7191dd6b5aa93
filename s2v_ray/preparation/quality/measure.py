"""A clip's measures and why it is rejected: silence, no motion, a moving camera, a cut, or a lag."""

from fractions import Fraction

import numpy as np

from s2v_ray.dataset.measures import Measures, QualityLimits
from s2v_ray.metrics.lag import sound_lag
from s2v_ray.metrics.loudness import loudness_between_frames, loudness_db
from s2v_ray.metrics.motion import motion_energy
from s2v_ray.preparation.quality.camera_motion import camera_motion
from s2v_ray.preparation.quality.scene_cut import scene_cut


def measure_window(frames_THWC: np.ndarray, wave: np.ndarray, frame_rate: Fraction, sample_rate: int) -> Measures:
    """Measure one window: `frames_THWC` uint8 RGB [T, S, S, 3], T >= 2, `wave` int16 mono of the same duration.

    Raises ValueError for other shapes or types.
    """
    if frames_THWC.ndim != 4 or frames_THWC.shape[3] != 3 or frames_THWC.dtype != np.uint8 or len(frames_THWC) < 2:
        raise ValueError(f"frames are {frames_THWC.dtype} {frames_THWC.shape}, but must be uint8 [T >= 2, S, S, 3].")
    samples = len(frames_THWC) * sample_rate / frame_rate
    if wave.shape != (samples,) or wave.dtype != np.int16:
        raise ValueError(f"wave is {wave.dtype} {wave.shape}, but must be int16 ({samples},).")
    motion_T = motion_energy(frames_THWC) / 255
    lag = sound_lag(motion_T, loudness_between_frames(wave, len(frames_THWC)))
    return Measures(
        loudness_db=loudness_db(wave),
        motion=float(motion_T.mean()),
        camera_motion=camera_motion(frames_THWC, frame_rate),
        scene_cut=scene_cut(frames_THWC),
        sync_correlation=lag.correlation,
        lag_frames=float(lag.frames),
        lag_confidence=lag.confidence,
    )


def rejection_reason(measures: Measures, limits: QualityLimits) -> tuple[str, str] | None:
    """Why a window is rejected, as (reason word, sentence) of the first rule that it breaks; None where it is good.

    Reasons: `silent`, `still_picture`, `camera_moves`, `scene_cut`, `lag`.
    """
    if measures.loudness_db < limits.min_loudness_db:
        found = f"Its loudness is {measures.loudness_db:.1f} dB of full scale, below {limits.min_loudness_db:g}"
        return "silent", f"{found}; lower --min-loudness-db to keep it."
    if measures.motion < limits.min_motion:
        found = f"Its frames change by {measures.motion:.5f} on average, below {limits.min_motion:g}"
        return "still_picture", f"{found}; lower --min-motion to keep it."
    if measures.camera_motion > limits.max_camera_motion:
        found = f"The whole frame moves by {measures.camera_motion:.3f} of its side a second"
        return "camera_moves", f"{found}, above {limits.max_camera_motion:g}; raise --max-camera-motion to keep it."
    if measures.scene_cut > limits.max_scene_cut:
        found = f"The frames change at once and for good by {measures.scene_cut:.3f}, above {limits.max_scene_cut:g}"
        return "scene_cut", f"{found}, as at a cut; raise --max-scene-cut to keep it."
    late, max_late = abs(measures.lag_frames), limits.max_lag_frames
    if max_late is not None and late > max_late and measures.lag_confidence >= limits.min_lag_confidence:
        side = "after" if measures.lag_frames > 0 else "before"
        found = f"The sound comes {late:.0f} frames {side} the motion (confidence {measures.lag_confidence:.2f})"
        return "lag", f"{found}, more than {max_late}; raise --max-lag-frames to keep it."
    return None
