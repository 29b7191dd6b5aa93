"""Which frame is displayed when, and the frames of windows."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from statistics import median

import numpy as np
from av.video.frame import VideoFrame

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.media_file import MediaFile, Track, undecodable
from s2v_ray.media.decoding.packets import decode_frames
from s2v_ray.media.decoding.rgb import Crop, SquareScaler
from s2v_ray.media.decoding.seeking import Cue, fill_windows

# The first frame also stands for the time this much before it, the last one for that after its end.
MAX_HOLD_SECONDS = Fraction(1, 2)

_HALF = Fraction(1, 2)


def frame_windows(
    media: MediaFile,
    starts: Sequence[Fraction],
    *,
    frame_count: int,
    frame_rate: Fraction,
    size: int,
    crop: Crop | None = None,
) -> Iterator[np.ndarray | MediaError]:
    """For each of the sorted `starts`, its frames uint8 [T, S, S, 3], or MediaError `no_picture_in_window`.

    `starts` are seconds after the file's start. Frame t is what is displayed at start + (t + ½) / frame_rate. Groups of
    pictures that no window needs are not decoded.
    Raises MediaError at once as `MediaFile.video` does, and in the course `undecodable_video` where no frame decodes,
    `crop_outside`, `too_slow` or `too_large`.
    """
    fill = partial(_fill, frame_count=frame_count, frame_rate=frame_rate, size=size, crop=crop)
    return fill_windows(fill, starts, media.video)


def _fill(
    starts: Sequence[Fraction],
    track: Track,
    cue: Cue | None,
    *,
    frame_count: int,
    frame_rate: Fraction,
    size: int,
    crop: Crop | None,
) -> Iterator[np.ndarray | MediaError]:
    scaler = SquareScaler(size, track.stream.sample_aspect_ratio, crop)
    waiting, active = deque(starts), deque[tuple[Fraction, list[np.ndarray]]]()

    def first_index(start: Fraction, time: Fraction) -> int:
        """The first frame of the window from `start` whose middle is not before `time`, or else frame_count."""
        return min(max(math.ceil((time - start) * frame_rate - _HALF), 0), frame_count)

    def want_next() -> None:
        if cue:
            cue.stamp = None
            if waiting and not active:
                cue.stamp = math.floor((waiting[0] + _HALF / frame_rate + track.zero) / track.time_base)

    want_next()
    displayed_at = None
    for displayed_at, end, frame in displayed_frames(track, cue):
        while waiting and first_index(waiting[0], end) > 0:
            active.append((waiting.popleft(), []))
        frame_HWC = None
        for start, frames in active:
            count = first_index(start, end) - first_index(start, displayed_at)
            if count:
                frame_HWC = scaler(frame) if frame_HWC is None else frame_HWC
                frames.extend([frame_HWC] * count)
        while active and first_index(active[0][0], end) == frame_count:
            yield _window(*active.popleft(), frame_count, track)
        if not active and not waiting:
            return
        want_next()
    if displayed_at is None and not (cue and cue.has_skipped):
        raise undecodable(track.container, track.stream)
    active.extend((start, []) for start in waiting)
    for start, frames in active:
        yield _window(start, frames, frame_count, track)


def _window(start: Fraction, frames: list[np.ndarray], frame_count: int, track: Track) -> np.ndarray | MediaError:
    if len(frames) == frame_count:
        return np.stack(frames)
    return MediaError(
        "no_picture_in_window",
        f"{frame_count - len(frames)} of {frame_count} frames from {float(start):.3f} s of '{track.container.name}' "
        f"lie more than {float(MAX_HOLD_SECONDS)} s outside its picture.",
    )


def displayed_frames(track: Track, cue: Cue | None = None) -> Iterator[tuple[Fraction, Fraction, VideoFrame]]:
    """(start, end, frame) in seconds after the file's start, end to end: a frame lasts until the next one's time.

    The last one lasts for its own duration, or the median of those before. The first starts, and the last ends,
    MAX_HOLD_SECONDS further out. A frame that is not later than the one before is never displayed. With a `cue`, frames
    before what it wants are left out; those around them then last too long.
    """
    displayed: VideoFrame | None = None
    displayed_at = start = track.zero
    recent_durations: deque[Fraction] = deque(maxlen=100)
    for frame in decode_frames(track, cue):
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is None:
            continue
        time = stamp * track.time_base - track.zero
        if displayed is None:
            start = time - MAX_HOLD_SECONDS
        elif time > displayed_at:
            yield start, time, displayed
            recent_durations.append(time - displayed_at)
            start = time
        else:
            continue
        displayed, displayed_at = frame, time
    if displayed is not None:
        own_duration = displayed.duration * track.time_base
        duration = own_duration or (median(recent_durations) if recent_durations else Fraction(0))
        yield start, displayed_at + duration + MAX_HOLD_SECONDS, displayed
