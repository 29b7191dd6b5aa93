"""A file's sound as mono samples aligned to its clock, and the sound of windows."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import chain, groupby, islice
from typing import TypeVar

import av
import numpy as np
from av.audio.frame import AudioFrame

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.media_file import MediaFile, Track, undecodable
from s2v_ray.media.decoding.mixdown import lossy_layouts, one_channel
from s2v_ray.media.decoding.packets import decode_frames
from s2v_ray.media.decoding.samples import Resamplers
from s2v_ray.media.decoding.seeking import Cue, fill_windows

# Timestamps this close to where the samples before them end are taken as rounded, not as a gap.
MAX_JITTER_SECONDS = Fraction(1, 50)
# A window may lack this much of its sound, which is then silence.
MAX_MISSING_SECONDS = Fraction(1, 10)
# A window's sound is aligned, and its resampler started, this much before it.
LEAD_SECONDS = Fraction(1)
# What a decoder may need before that to settle: earlier blocks, its filters' memories.
WARM_UP_SECONDS = Fraction(1)
# Sound after a window, for the tail of the resampler's filter and the lookahead.
TAIL_SECONDS = Fraction(1, 4)
_FRAMES_AHEAD = 8  # about 0.2 s, longer than the jitter of real files

_Item = TypeVar("_Item")
_TimedFrame = tuple[Fraction, AudioFrame]


def mono_pieces(media: MediaFile, sample_rate: int) -> Iterator[tuple[int, np.ndarray]]:
    """(index of its first sample, int16 mono samples [S]) for all the sound, in order and without overlap.

    Sample n is heard n / sample_rate seconds after the file's start; n may be negative. Where the timestamps jump
    ahead, samples are missing between two pieces; where they jump back, what overlaps earlier samples is left out.

    Raises MediaError `undecodable_audio` where nothing decodes, `too_slow`, and what `MediaFile.audio` raises.
    """
    channels = channels_taken(media)
    track = media.audio()
    piece = None
    for piece in _pieces(_timed_frames(track, None), sample_rate, channels):
        yield piece
    if piece is None:
        raise undecodable(track.container, track.stream)


def channels_taken(media: MediaFile) -> dict[str, int]:
    """For each layout of a file's channels whose mix loses too much: the channel taken instead, counted from 0.

    It is decided once for a file, by all of its sound. Raises what `MediaFile.audio` raises, and `too_slow`.
    """
    if media.channels is None:
        track = media.audio()
        known = track.stream.codec_context.layout
        is_mono = known is not None and known.nb_channels == 1
        media.channels = {} if is_mono else lossy_layouts(decode_frames(track))
    return media.channels


def sound_windows(
    media: MediaFile, starts: Sequence[Fraction], *, sample_rate: int, sample_count: int
) -> Iterator[np.ndarray | MediaError]:
    """For each of the sorted `starts`, its int16 mono samples [S], or MediaError `no_sound_in_window`.

    `starts` are seconds after the file's start. Up to MAX_MISSING_SECONDS of a window may have no sound: silence.
    A window's samples are aligned and resampled from the frames since LEAD_SECONDS before it, whatever was read before
    them; so it comes out the same however it is reached, but for what a decoder draws at random (noise in AAC, AC-3).
    Raises MediaError at once as `MediaFile.audio` does, and in the course `undecodable_audio` and `too_slow`.
    """
    channels = channels_taken(media)
    fill = partial(_fill, sample_rate=sample_rate, sample_count=sample_count, channels=channels)
    return fill_windows(fill, starts, media.audio)


def _fill(
    starts: Sequence[Fraction],
    track: Track,
    cue: Cue | None,
    *,
    sample_rate: int,
    sample_count: int,
    channels: Mapping[str, int],
) -> Iterator[np.ndarray | MediaError]:
    waiting = deque(starts)
    until_tail_end = Fraction(sample_count, sample_rate) + TAIL_SECONDS
    near: deque[_TimedFrame] = deque()  # from the first waiting window's lead on

    def want_next() -> None:
        if cue and waiting:
            cue.stamp = math.floor((waiting[0] - LEAD_SECONDS - WARM_UP_SECONDS + track.zero) / track.time_base)

    def window(start: Fraction) -> np.ndarray | MediaError:
        """The samples of one window; frames before its lead and after its tail do not count."""
        frames = [timed for timed in near if start - LEAD_SECONDS <= timed[0] < start + until_tail_end]
        wave, first = np.zeros(sample_count, np.int16), round(start * sample_rate)
        heard = sum(paste(wave, samples, index - first) for index, samples in _pieces(frames, sample_rate, channels))
        if heard and sample_count - heard <= MAX_MISSING_SECONDS * sample_rate:
            return wave
        return MediaError(
            "no_sound_in_window",
            f"{(sample_count - heard) / sample_rate:.3f} s of the {sample_count / sample_rate:.3f} s "
            f"from {float(start):.3f} s of '{track.container.name}' have no sound.",
        )

    want_next()
    upcoming: list[_TimedFrame] = []
    for upcoming in _lookahead(_timed_frames(track, cue), _FRAMES_AHEAD):
        near.append(upcoming[0])
        while waiting and all(time >= waiting[0] + until_tail_end for time, _ in upcoming):
            yield window(waiting.popleft())
            want_next()
        if not waiting:
            return
        while near and near[0][0] < waiting[0] - LEAD_SECONDS:
            near.popleft()
    if not upcoming and not (cue and cue.has_skipped):
        raise undecodable(track.container, track.stream)
    yield from map(window, waiting)


def paste(wave: np.ndarray, samples: np.ndarray, first: int) -> int:
    """Write `samples` to `wave` from its index `first` on, which may be negative; returns how many lie inside it."""
    start, end = max(first, 0), min(first + len(samples), len(wave))
    if start < end:
        wave[start:end] = samples[start - first : end - first]
    return max(0, end - start)


def _pieces(
    frames: Iterable[_TimedFrame], sample_rate: int, channels: Mapping[str, int]
) -> Iterator[tuple[int, np.ndarray]]:
    """`mono_pieces` of these frames."""
    position: int | None = None
    for (_, run_start), run in groupby(_runs(iter(frames)), key=lambda item: item[:2]):
        index = round(run_start * sample_rate)
        for samples in _resample((frame for *_, frame in run), sample_rate, channels):
            known = 0 if position is None else max(0, position - index)
            if known < len(samples):
                yield index + known, samples[known:]
                position = index + len(samples)
            index += len(samples)


def _timed_frames(track: Track, cue: Cue | None) -> Iterator[_TimedFrame]:
    """(seconds after the file's start, frame); a frame without a time follows the one before it."""
    expected = (track.stream.start_time or 0) * track.time_base - track.zero
    for frame in decode_frames(track, cue):
        if frame.samples:
            time = expected if frame.pts is None else frame.pts * track.time_base - track.zero
            yield time, frame
            expected = time + Fraction(frame.samples, frame.sample_rate)


def _runs(timed_frames: Iterator[_TimedFrame]) -> Iterator[tuple[int, Fraction, AudioFrame]]:
    """(number of its run, when that run starts, frame): the frames of a run follow each other without a gap."""
    number, run_start, run_kind, expected = -1, Fraction(0), None, Fraction(0)
    for upcoming in _lookahead(timed_frames, _FRAMES_AHEAD):
        time, frame = upcoming[0]
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != run_kind or _jumps(upcoming, expected):
            number, run_start, run_kind, expected = number + 1, time, kind, time
        expected += Fraction(frame.samples, frame.sample_rate)
        yield number, run_start, frame


def _jumps(upcoming: list[_TimedFrame], expected: Fraction) -> bool:
    """Whether the timestamps leave the `expected` time and stay away; those that come back are jitter."""
    if abs(upcoming[0][0] - expected) <= MAX_JITTER_SECONDS:
        return False
    deviations = []
    for time, frame in upcoming:
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


def _resample(frames: Iterable[AudioFrame], sample_rate: int, channels: Mapping[str, int]) -> Iterator[np.ndarray]:
    """The int16 mono samples of contiguous `frames`, the first of them at the first frame's time.

    They end early where the frames are no sound that can be mixed down, as in a damaged file.
    """
    resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate)
    one_channel_resamplers: Resamplers = {}
    for frame in chain(frames, [None]):
        if frame is not None:
            frame.pts = None  # the run's start says when; the filter should only count
        try:
            if frame is not None:
                frame = one_channel(frame, channels, one_channel_resamplers)
            outputs = resampler.resample(frame)
        except (av.error.FFmpegError, ValueError):
            return
        for output in outputs:
            if output is not None:  # a resampler with nothing to do hands back the end mark, too
                yield output.to_ndarray()[0]
