"""The paper's conditions, measured on a window's frames and its sound.

The paper takes clips that sound, move, are filmed by a still camera, and whose sound belongs to what moves.
"""

from fractions import Fraction

import numpy as np

from s2v_ray.dataset.measures import Measures
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
    if wave.ndim != 1 or wave.dtype != np.int16 or len(wave) * frame_rate != len(frames_THWC) * sample_rate:
        raise ValueError(
            f"wave is {wave.dtype} {wave.shape}, but must be int16 "
            f"({len(frames_THWC) * sample_rate / frame_rate},) for {len(frames_THWC)} frames."
        )
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
