"""A quick look at a source: some of its pictures, how much it moves, how loud it is, what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.container import audio_stream, clock_zero, open_container, undecodable, video_stream
from s2v_ray.media.decoding.packets import decode_packet, read_packets
from s2v_ray.media.decoding.rgb import displayed_size, whole_picture
from s2v_ray.media.decoding.seeking import seek

# So much is looked at whole; of more, that many glimpses.
_WHOLE_PIXELS, _WHOLE_FRAMES, _WHOLE_SOUND_SECONDS = 600e6, 1500, 300
PICTURE_GLIMPSES, _GLIMPSE_FRAMES = 48, 4
_SOUND_GLIMPSES, _GLIMPSE_SOUND_FRAMES = 200, 8
_WHOLE_SOUND_BINS = 1000
_LOOK_HEIGHT = 144  # pixels

_LATE_SECONDS = 0.5
_SILENT = 0.003  # of full scale: −50 dB
_STILL = 0.3  # grey levels of 255 that a pixel changes from frame to frame, in the mean


@dataclass
class Glimpse:
    """What a quick look at a source found. Times are seconds after the file's start."""

    end_seconds: float
    measures: str
    width: int
    height: int
    pictures: list[tuple[float, np.ndarray]] = field(default_factory=list)  # uint8 RGB [h, w, 3]
    motion: list[tuple[float, float]] = field(default_factory=list)  # mean change of grey levels between two frames
    peaks: np.ndarray = field(default_factory=lambda: np.full((1, 2), np.nan))  # lowest and highest sample [bins, 2]
    warnings: list[str] = field(default_factory=list)


def look(path: str | Path) -> Glimpse:
    """A quick look at a source: some pictures, how much it moves, how loud it is. Memory doesn't grow with its length.

    Raises MediaError `not_found`, `unreadable`, `no_video` or `undecodable_video`.
    """
    with open_container(path) as container:
        stream, zero = video_stream(container), clock_zero(container)
        end_seconds = _end_seconds(path, container)
        rate = float(stream.guessed_rate or stream.average_rate or 25)
        glimpse = Glimpse(end_seconds, "", 0, 0)
        _look_at_pictures(container, stream, zero, rate, glimpse)
        parts = [f"{glimpse.width} × {glimpse.height}", f"{rate:.5g} frames a second", time_text(end_seconds)]
        parts.append(f"{stream.codec_context.name} in {container.format.name.split(',')[0]}")
    try:
        with open_container(path) as container:
            audio = audio_stream(container)
            _look_at_sound(container, audio, zero, glimpse)
            parts.append(f"{audio.codec_context.name}, {audio.codec_context.sample_rate} Hz, {audio.layout.name}")
    except MediaError as error:
        parts.append("no sound")
        glimpse.warnings.append(str(error))
    glimpse.measures = "  ·  ".join(parts)
    if max((change for _, change in glimpse.motion), default=0) < _STILL:
        glimpse.warnings.append("The picture is still.")
    return glimpse


def _look_at_pictures(
    container: InputContainer, stream: VideoStream, zero: Fraction, rate: float, glimpse: Glimpse
) -> None:
    frames = glimpse.end_seconds * rate
    pixels = frames * stream.codec_context.width * stream.codec_context.height
    whole = pixels <= _WHOLE_PIXELS and frames <= _WHOLE_FRAMES
    spacing = glimpse.end_seconds / PICTURE_GLIMPSES
    reformatter = VideoReformatter()
    seen: set[float] = set()
    for run in _runs(container, stream, zero, glimpse.end_seconds, 0 if whole else PICTURE_GLIMPSES, _GLIMPSE_FRAMES):
        before, changes = None, []
        for number, (seconds, frame) in enumerate(run):
            if number == 0 and seconds in seen:
                break  # there is no key frame between this glimpse and the last
            seen.add(seconds)
            picture_HWC = whole_picture(frame, _LOOK_HEIGHT, stream.sample_aspect_ratio, reformatter)
            grey_HW = picture_HWC.mean(axis=2, dtype=np.float32)
            if before is not None:
                changes.append((seconds, float(np.abs(grey_HW - before).mean())))
            before = grey_HW
            if number == 0 or (whole and seconds >= glimpse.pictures[-1][0] + spacing):
                glimpse.pictures.append((seconds, picture_HWC))
                glimpse.width, glimpse.height = displayed_size(frame, stream.sample_aspect_ratio)
        if whole:
            glimpse.motion = changes
        elif changes:
            glimpse.motion.append((changes[0][0], float(np.mean([change for _, change in changes]))))
    if not glimpse.pictures:
        raise undecodable(container, stream)


def _look_at_sound(container: InputContainer, stream: AudioStream, zero: Fraction, glimpse: Glimpse) -> None:
    whole = glimpse.end_seconds <= _WHOLE_SOUND_SECONDS
    peaks = np.full((_WHOLE_SOUND_BINS if whole else _SOUND_GLIMPSES, 2), [np.inf, -np.inf])
    seconds_a_bin = glimpse.end_seconds / len(peaks)
    resampler = av.AudioResampler(format="flt", layout="mono")
    glimpses = 0 if whole else _SOUND_GLIMPSES
    for run in _runs(container, stream, zero, glimpse.end_seconds, glimpses, _GLIMPSE_SOUND_FRAMES):
        for seconds, frame in run:
            samples = _mono(frame, resampler)
            bins = ((seconds + np.arange(len(samples)) / frame.sample_rate) / seconds_a_bin).astype(int)
            bins = np.clip(bins, 0, len(peaks) - 1)
            np.minimum.at(peaks[:, 0], bins, samples)
            np.maximum.at(peaks[:, 1], bins, samples)
    heard = np.isfinite(peaks[:, 0])
    if not heard.any():
        raise undecodable(container, stream)
    peaks[~heard] = np.nan
    glimpse.peaks = peaks
    if np.nanmax(np.abs(peaks)) < _SILENT:
        glimpse.warnings.append("The sound is silence.")
    first, last = (np.flatnonzero(heard)[[0, -1]] + [0, 1]) * seconds_a_bin
    tolerance = max(_LATE_SECONDS, 2 * seconds_a_bin)
    if first > tolerance:
        glimpse.warnings.append(f"The sound starts {first:.1f} s late.")
    if last < glimpse.end_seconds - tolerance:
        glimpse.warnings.append(f"The sound ends {glimpse.end_seconds - last:.1f} s early.")


def _runs(
    container: InputContainer,
    stream: VideoStream | AudioStream,
    zero: Fraction,
    end_seconds: float,
    glimpses: int,
    length: int,
) -> Iterator[Iterator[tuple[float, Any]]]:
    """(seconds, frame) of all frames in one run where `glimpses` is 0, or else of the first `length` of each glimpse.

    A run is to be used before the next is asked for.
    """
    stream.codec_context.thread_count = 1
    if not glimpses:
        yield _timed_frames(container, stream, zero)
    for glimpse in range(glimpses):
        seek(container, stream, zero + Fraction(end_seconds) * (2 * glimpse + 1) / (2 * glimpses))
        yield islice(_timed_frames(container, stream, zero), length)


def _timed_frames(
    container: InputContainer, stream: VideoStream | AudioStream, zero: Fraction
) -> Iterator[tuple[float, Any]]:
    for packet in chain(read_packets(container, [stream]), [None]):
        for frame in decode_packet(stream, packet):
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is not None:
                yield float(stamp * (stream.time_base or 0) - zero), frame


def _mono(frame: AudioFrame, resampler: av.AudioResampler) -> np.ndarray:
    """Its samples, float in [-1, 1]; none where it is no sound that can be mixed down, as in a damaged file."""
    try:
        pieces = [piece.to_ndarray()[0] for piece in resampler.resample(frame) if piece is not None]
    except (av.error.FFmpegError, ValueError):
        return np.empty(0, np.float32)
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def _end_seconds(path: str | Path, container: InputContainer) -> float:
    """How long the file lasts by its header, or by its last packet where that doesn't say."""
    if container.duration:
        return container.duration / av.time_base
    with open_container(path) as another:  # reading packets moves on
        stream, zero = video_stream(another), clock_zero(another)
        stamps = [packet.pts for packet in read_packets(another, [stream]) if packet.pts is not None]
    return max(0.1, float(max(stamps, default=0) * (stream.time_base or 0) - zero))


def time_text(seconds: float, *, hundredths: bool = True) -> str:
    """Such as 0:07.25 or 1:52:03."""
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    rest_text = f"{rest:05.2f}" if hundredths else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{rest_text}" if hours else f"{minutes}:{rest_text}"
