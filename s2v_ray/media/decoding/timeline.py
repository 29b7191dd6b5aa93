"""Which frame is displayed when, and the frames of windows."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np
from av.video.frame import VideoFrame

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.container import undecodable
from s2v_ray.media.decoding.media_file import MediaFile, Track
from s2v_ray.media.decoding.packets import decode_video
from s2v_ray.media.decoding.rgb import Crop, SquareScaler
from s2v_ray.media.decoding.seeking import Cue, MissedError

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
    windows = [_FrameWindow(start, frame_rate, frame_count, size) for start in starts]
    track = media.video()
    return _frame_windows(windows, media, track, SquareScaler(size, track.stream.sample_aspect_ratio, crop))


def _frame_windows(
    windows: Sequence["_FrameWindow"], media: MediaFile, track: Track, scaler: SquareScaler
) -> Iterator[np.ndarray | MediaError]:
    done = 0
    try:
        for result in _fill(windows, track, scaler, Cue()):
            yield result
            done += 1
    except MissedError:
        yield from _fill([window.emptied() for window in windows[done:]], media.video(), scaler, None)


def _fill(
    windows: Sequence["_FrameWindow"], track: Track, scaler: SquareScaler, cue: Cue | None
) -> Iterator[np.ndarray | MediaError]:
    waiting, active = deque(windows), deque[_FrameWindow]()

    def want_next() -> None:
        if cue:
            needs_all = active or not waiting
            cue.stamp = None if needs_all else math.floor((waiting[0].first_middle + track.zero) / track.time_base)

    want_next()
    start = None
    for start, end, frame in displayed_frames(track, cue):
        while waiting and waiting[0].first_index_from(end) > 0:
            active.append(waiting.popleft())
        frame_HWC = None
        for window in active:
            wanted = slice(window.first_index_from(start), window.first_index_from(end))
            if wanted.start < wanted.stop:
                if frame_HWC is None:
                    frame_HWC = scaler(frame)
                window.fill(frame_HWC, wanted)
        while active and active[0].first_index_from(end) == active[0].frame_count:
            yield active.popleft().result(track.container.name)
        if not active and not waiting:
            return
        want_next()
    if start is None and not (cue and cue.has_skipped):
        raise undecodable(track.container, track.stream)
    for window in (*active, *waiting):
        yield window.result(track.container.name)


def displayed_frames(track: Track, cue: Cue | None = None) -> Iterator[tuple[Fraction, Fraction, VideoFrame]]:
    """(start, end, frame) in seconds after the file's start, end to end: a frame lasts until the next one's time.

    The last one lasts for its own duration, or the median of those before. The first starts, and the last ends,
    MAX_HOLD_SECONDS further out. A frame that is not later than the one before is never displayed. With a `cue`, frames
    before what it wants are left out; those around them then last too long.
    """
    displayed: VideoFrame | None = None
    displayed_at = start = track.zero
    recent_durations: deque[Fraction] = deque(maxlen=100)
    for frame in decode_video(track, cue):
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


@dataclass
class _FrameWindow:
    start: Fraction
    frame_rate: Fraction
    frame_count: int
    size: int
    frames_THWC: np.ndarray | None = None  # allocated when first needed
    filled_count: int = 0

    def emptied(self) -> "_FrameWindow":
        return _FrameWindow(self.start, self.frame_rate, self.frame_count, self.size)

    @property
    def first_middle(self) -> Fraction:
        return self.start + _HALF / self.frame_rate

    def first_index_from(self, time: Fraction) -> int:
        """The first of this window's frames whose middle is not before `time`, or else frame_count."""
        index = math.ceil((time - self.start) * self.frame_rate - _HALF)
        return min(max(index, 0), self.frame_count)

    def fill(self, frame_HWC: np.ndarray, wanted: slice) -> None:
        if self.frames_THWC is None:
            self.frames_THWC = np.empty((self.frame_count, self.size, self.size, 3), np.uint8)
        self.frames_THWC[wanted] = frame_HWC
        self.filled_count += wanted.stop - wanted.start

    def result(self, name: str) -> np.ndarray | MediaError:
        if self.frames_THWC is not None and self.filled_count == self.frame_count:
            return self.frames_THWC
        missing = self.frame_count - self.filled_count
        return MediaError(
            "no_picture_in_window",
            f"{missing} of {self.frame_count} frames from {float(self.start):.3f} s of '{name}' lie more than "
            f"{float(MAX_HOLD_SECONDS)} s outside its picture.",
        )
