"""Which picture is displayed when, and the pictures of windows."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import cast

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.container import open_container, undecodable
from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.packets import decode_video
from s2v_ray.media.decoding.rgb import Crop, SquareScaler
from s2v_ray.media.decoding.seeking import Cue, MissedError

# The first frame stands in for pictures wanted this much before it, the last one for those after its end.
MAX_HOLD_SECONDS = Fraction(1, 2)

_HALF = Fraction(1, 2)


def picture_windows(
    container: InputContainer,
    stream: VideoStream,
    zero: Fraction,
    starts: Sequence[Fraction],
    *,
    frame_count: int,
    frame_rate: Fraction,
    size: int,
    crop: Crop | None = None,
    budget: Budget | None = None,
) -> Iterator[np.ndarray | MediaError]:
    """For each of the sorted `starts`, its frames uint8 [T, S, S, 3], or MediaError `no_picture_in_window`.

    `starts` are seconds after `zero`. Frame t is the picture displayed at start + (t + ½) / frame_rate. Groups of
    pictures that no window needs are not decoded.
    Raises MediaError `undecodable_video` where no frame decodes, `crop_outside`, `too_slow` or `too_large`.
    """
    windows = [_PictureWindow(start, frame_rate, frame_count, size) for start in starts]
    budget = budget or Budget()
    scaler = SquareScaler(size, stream.sample_aspect_ratio, crop)
    done = 0
    try:
        for result in _fill(windows, container, stream, zero, scaler, budget, Cue()):
            yield result
            done += 1
    except MissedError:
        rest = [_PictureWindow(start, frame_rate, frame_count, size) for start in starts[done:]]
        with open_container(container.name) as again:
            yield from _fill(rest, again, cast(VideoStream, again.streams[stream.index]), zero, scaler, budget, None)


def _fill(
    windows: Sequence["_PictureWindow"],
    container: InputContainer,
    stream: VideoStream,
    zero: Fraction,
    scaler: SquareScaler,
    budget: Budget,
    cue: Cue | None,
) -> Iterator[np.ndarray | MediaError]:
    waiting, active = deque(windows), deque[_PictureWindow]()
    time_base = stream.time_base or Fraction(1)

    def want_next() -> None:
        if cue:
            needs_all = active or not waiting
            cue.stamp = None if needs_all else math.floor((waiting[0].first_middle + zero) / time_base)

    want_next()
    begin = None
    for begin, end, frame in shown_frames(container, stream, zero, budget, cue):
        while waiting and waiting[0].first_index_from(end) > 0:
            active.append(waiting.popleft())
        picture_HWC = None
        for window in active:
            wanted = slice(window.first_index_from(begin), window.first_index_from(end))
            if wanted.start < wanted.stop:
                if picture_HWC is None:
                    picture_HWC = scaler(frame)
                window.show(picture_HWC, wanted)
        while active and active[0].first_index_from(end) == active[0].frame_count:
            yield active.popleft().result(container.name)
        if not active and not waiting:
            return
        want_next()
    if begin is None and not (cue and cue.has_skipped):
        raise undecodable(container, stream)
    for window in (*active, *waiting):
        yield window.result(container.name)


def shown_frames(
    container: InputContainer,
    stream: VideoStream,
    zero: Fraction,
    budget: Budget | None = None,
    cue: Cue | None = None,
) -> Iterator[tuple[Fraction, Fraction, VideoFrame]]:
    """(begin, end, frame) in seconds after `zero`, end to end: a frame lasts until the next one's time.

    The last one lasts for its own duration, or the median of those before. The first begins, and the last ends,
    MAX_HOLD_SECONDS further out. A frame that is not later than the one before is never shown. With a `cue`, frames
    before what it wants are left out; those around them then last too long.
    """
    shown: VideoFrame | None = None
    shown_at = begin = zero
    recent_durations: deque[Fraction] = deque(maxlen=100)
    time_base = stream.time_base or Fraction(0)
    for frame in decode_video(container, stream, budget, cue):
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is None:
            continue
        time = stamp * time_base - zero
        if shown is None:
            begin = time - MAX_HOLD_SECONDS
        elif time > shown_at:
            yield begin, time, shown
            recent_durations.append(time - shown_at)
            begin = time
        else:
            continue
        shown, shown_at = frame, time
    if shown is not None:
        duration = shown.duration * time_base or (median(recent_durations) if recent_durations else Fraction(0))
        yield begin, shown_at + duration + MAX_HOLD_SECONDS, shown


@dataclass
class _PictureWindow:
    start: Fraction
    frame_rate: Fraction
    frame_count: int
    size: int
    frames_THWC: np.ndarray | None = None  # made when first needed
    shown_count: int = 0

    @property
    def first_middle(self) -> Fraction:
        return self.start + _HALF / self.frame_rate

    def first_index_from(self, time: Fraction) -> int:
        """The first of this window's frames whose middle is not before `time`; frame_count where none is."""
        index = math.ceil((time - self.start) * self.frame_rate - _HALF)
        return min(max(index, 0), self.frame_count)

    def show(self, picture_HWC: np.ndarray, wanted: slice) -> None:
        if self.frames_THWC is None:
            self.frames_THWC = np.empty((self.frame_count, self.size, self.size, 3), np.uint8)
        self.frames_THWC[wanted] = picture_HWC
        self.shown_count += wanted.stop - wanted.start

    def result(self, name: str) -> np.ndarray | MediaError:
        if self.frames_THWC is not None and self.shown_count == self.frame_count:
            return self.frames_THWC
        missing = self.frame_count - self.shown_count
        return MediaError(
            "no_picture_in_window",
            f"{missing} of {self.frame_count} frames from {float(self.start):.3f} s of '{name}' lie more than "
            f"{float(MAX_HOLD_SECONDS)} s outside its picture.",
        )
