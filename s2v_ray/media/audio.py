"""A file's sound as mono samples placed on its clock, and the sound of windows."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, groupby, islice
from typing import TypeVar

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from s2v_ray.config.errors import MediaError
from s2v_ray.media.container import decode_audio, undecodable

# Timestamps are taken as rounded, not as a hole, while they stay nearer than this to where the samples before them end.
MAX_JITTER_SECONDS = Fraction(1, 50)
# A window may lack this much of its sound, which is then silence.
MAX_MISSING_SECONDS = Fraction(1, 10)
_FRAMES_AHEAD = 8  # about 0.2 s, longer than the jitter of real files

_Item = TypeVar("_Item")


def mono_pieces(
    container: InputContainer, stream: AudioStream, zero: Fraction, sample_rate: int, threads: int
) -> Iterator[tuple[int, np.ndarray]]:
    """(index of its first sample, int16 mono samples [S]) for all the sound, in order and without overlap.

    Sample n is heard n / sample_rate seconds after `zero`; n may be negative. Where the timestamps jump ahead,
    samples are missing between two pieces; where they jump back, what was there already is left out.

    Raises MediaError `undecodable_audio` where nothing decodes.
    """
    position: int | None = None
    for (_, run_start), run in groupby(_runs(container, stream, zero, threads), key=lambda item: item[:2]):
        index = round(run_start * sample_rate)
        for samples in _resample((frame for *_, frame in run), sample_rate):
            known = 0 if position is None else max(0, position - index)
            if known < len(samples):
                yield index + known, samples[known:]
                position = index + len(samples)
            index += len(samples)
    if position is None:
        raise undecodable(container, stream)


def sound_span(
    container: InputContainer, stream: AudioStream, zero: Fraction, threads: int
) -> tuple[Fraction, Fraction]:
    """When the sound begins and ends, in seconds after `zero`, found by decoding all of it.

    Raises MediaError `undecodable_audio` where nothing decodes.
    """
    spans = [
        (run_start, run_start + sum(Fraction(frame.samples, frame.sample_rate) for *_, frame in run))
        for (_, run_start), run in groupby(_runs(container, stream, zero, threads), key=lambda item: item[:2])
    ]
    if not spans:
        raise undecodable(container, stream)
    return min(start for start, _ in spans), max(end for _, end in spans)


def sound_windows(
    container: InputContainer,
    stream: AudioStream,
    zero: Fraction,
    starts: Sequence[Fraction],
    *,
    sample_rate: int,
    sample_count: int,
    threads: int,
) -> Iterator[np.ndarray | MediaError]:
    """For each of the sorted `starts`, its int16 mono samples [S], or MediaError `no_sound_in_window`.

    `starts` are seconds after `zero`. Up to MAX_MISSING_SECONDS of a window may be silence for want of sound.
    Raises MediaError `undecodable_audio` where nothing decodes.
    """
    waiting = deque(_SoundWindow(start, round(start * sample_rate), sample_rate, sample_count) for start in starts)
    active: deque[_SoundWindow] = deque()
    for first, samples in mono_pieces(container, stream, zero, sample_rate, threads):
        end = first + len(samples)
        while waiting and waiting[0].first < end:
            active.append(waiting.popleft())
        for window in active:
            window.add(first, samples)
        while active and active[0].first + sample_count <= end:
            yield active.popleft().result(container.name)
        if not active and not waiting:
            return
    for window in (*active, *waiting):
        yield window.result(container.name)


@dataclass
class _SoundWindow:
    start: Fraction
    first: int
    sample_rate: int
    sample_count: int
    wave: np.ndarray | None = None  # made when first needed
    heard_count: int = 0

    def add(self, first: int, samples: np.ndarray) -> None:
        begin, end = max(first, self.first), min(first + len(samples), self.first + self.sample_count)
        if begin >= end:
            return
        if self.wave is None:
            self.wave = np.zeros(self.sample_count, np.int16)
        self.wave[begin - self.first : end - self.first] = samples[begin - first : end - first]
        self.heard_count += end - begin

    def result(self, name: str) -> np.ndarray | MediaError:
        missing_seconds = Fraction(self.sample_count - self.heard_count, self.sample_rate)
        if self.wave is not None and missing_seconds <= MAX_MISSING_SECONDS:
            return self.wave
        return MediaError(
            "no_sound_in_window",
            f"{float(missing_seconds):.3f} s of the {self.sample_count / self.sample_rate:.3f} s "
            f"from {float(self.start):.3f} s of '{name}' have no sound.",
        )


def _runs(
    container: InputContainer, stream: AudioStream, zero: Fraction, threads: int
) -> Iterator[tuple[int, Fraction, AudioFrame]]:
    """(number of its run, when that run starts, frame): the frames of a run follow each other without a hole."""
    time_base = stream.time_base or Fraction(0)
    timed_frames = (
        (None if frame.pts is None else frame.pts * time_base - zero, frame)
        for frame in decode_audio(container, stream, threads)
        if frame.samples
    )
    number, run_start, run_kind = -1, Fraction(0), None
    expected = (stream.start_time or 0) * time_base - zero
    for upcoming in _lookahead(timed_frames, _FRAMES_AHEAD):
        time, frame = upcoming[0]
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != run_kind or _jumps(upcoming, expected):
            expected = expected if time is None else time
            number, run_start, run_kind = number + 1, expected, kind
        expected += Fraction(frame.samples, frame.sample_rate)
        yield number, run_start, frame


def _jumps(upcoming: list[tuple[Fraction | None, AudioFrame]], expected: Fraction) -> bool:
    """Whether the timestamps leave the `expected` time and stay away; those that come back are jitter."""
    if upcoming[0][0] is None or abs(upcoming[0][0] - expected) <= MAX_JITTER_SECONDS:
        return False
    deviations = []
    for time, frame in upcoming:
        if time is not None:
            deviations.append(time - expected)
        expected += Fraction(frame.samples, frame.sample_rate)
    return min(deviations) > MAX_JITTER_SECONDS or max(deviations) < -MAX_JITTER_SECONDS


def _lookahead(items: Iterator[_Item], count: int) -> Iterator[list[_Item]]:
    """Each item followed by the next `count`, fewer at the end."""
    ahead = deque(islice(items, count + 1))
    while ahead:
        yield list(ahead)
        ahead.popleft()
        ahead.extend(islice(items, 1))


def _resample(frames: Iterable[AudioFrame], sample_rate: int) -> Iterator[np.ndarray]:
    """The int16 mono samples of contiguous `frames`, the first of them at the first frame's time.

    They end early where the frames are no sound that can be mixed down, as in a damaged file.
    """
    resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate)
    for frame in chain(frames, [None]):
        if frame is not None:
            frame.pts = None  # the run's start says when; the filter should only count
        try:
            outputs = resampler.resample(frame)
        except (av.error.FFmpegError, ValueError):
            return
        for output in outputs:
            if output is not None:  # a resampler with nothing to do hands back the end mark, too
                yield output.to_ndarray()[0]
