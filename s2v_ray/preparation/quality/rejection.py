"""Why a window is not worth learning from."""

from s2v_ray.dataset.measures import Measures, QualityLimits


def rejection_reason(measures: Measures, limits: QualityLimits) -> tuple[str, str] | None:
    """Why a window is rejected, as (reason word, sentence) of the first rule that it breaks; None where it is good.

    Reasons: `silent`, `still_picture`, `camera_moves`, `scene_cut`, `lag`.
    """
    if measures.loudness_db < limits.min_loudness_db:
        return "silent", (
            f"Its loudness is {measures.loudness_db:.1f} dB of full scale, below {limits.min_loudness_db:g}; "
            "lower --min-loudness-db to keep it."
        )
    if measures.motion < limits.min_motion:
        return "still_picture", (
            f"Its picture changes by {measures.motion:.5f} a frame, below {limits.min_motion:g}; "
            "lower --min-motion to keep it."
        )
    if measures.camera_motion > limits.max_camera_motion:
        return "camera_moves", (
            f"The whole picture moves by {measures.camera_motion:.3f} of its side a second, "
            f"above {limits.max_camera_motion:g}; raise --max-camera-motion to keep it."
        )
    if measures.scene_cut > limits.max_scene_cut:
        return "scene_cut", (
            f"The picture changes at once and for good by {measures.scene_cut:.3f}, above {limits.max_scene_cut:g}, "
            "as at a cut; raise --max-scene-cut to keep it."
        )
    late, max_late = abs(measures.lag_frames), limits.max_lag_frames
    if max_late is not None and late > max_late and measures.lag_confidence >= limits.min_lag_confidence:
        side = "after" if measures.lag_frames > 0 else "before"
        return "lag", (
            f"The sound comes {late:.0f} frames {side} the motion (confidence {measures.lag_confidence:.2f}), more "
            f"than {max_late}; raise --max-lag-frames to keep it."
        )
    return None
