"""The frame that a video displays at a time, whole."""

import math
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame

from s2v_ray.errors import UserError
from s2v_ray.media.decoding.media_file import MediaFile, Track, undecodable
from s2v_ray.media.decoding.packets import decode_frames
from s2v_ray.media.decoding.rgb import whole_picture
from s2v_ray.media.decoding.seeking import Cue, MissedError
from s2v_ray.media.decoding.timeline import MAX_HOLD_SECONDS, displayed_frames


def displayed_picture(media: MediaFile, seconds: Fraction) -> np.ndarray:
    """What `media` displays `seconds` after its start, at its displayed size: uint8 RGB [H, W, 3].

    At 0, and until its picture starts, that is the first frame.

    Raises UserError `image_time_outside`, with the video's length, for a time at or after its picture's end; MediaError
    as `MediaFile.video` does, `undecodable_video` where no frame decodes, `too_slow` or `too_large`.
    """
    track = media.video()
    if seconds == 0:
        frame = next(decode_frames(track), None)
        if frame is None:
            raise undecodable(track.container, track.stream)
    else:
        try:
            frame = _frame_at(track, seconds, Cue(math.floor((seconds + track.zero) / track.time_base)))
        except MissedError:
            track = media.video()
            frame = _frame_at(track, seconds, None)
    return whole_picture(frame, track.stream.sample_aspect_ratio)


def _frame_at(track: Track, seconds: Fraction, cue: Cue | None) -> VideoFrame:
    candidate, end = None, None
    for _, end, frame in displayed_frames(track, cue):
        if candidate:  # another frame follows, so it ended when this one started
            return candidate
        if seconds < end:
            candidate = frame
    if end is None:
        raise undecodable(track.container, track.stream)
    length = end - MAX_HOLD_SECONDS  # the last frame is held for longer than it lasts
    if candidate and seconds < length:
        return candidate
    problem = f"but the picture of '{track.container.name}' ends after {float(length):.2f} s"
    raise UserError("image_time_outside", f"--image-time is {float(seconds):g} s, {problem}; give an earlier time.")
