"""What a media file holds, found by reading it through: headers lie."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from s2v_ray.media.audio import sound_span
from s2v_ray.media.container import (
    audio_stream,
    clock_zero,
    decode_packet,
    open_container,
    read_packets,
    undecodable,
    video_stream,
)
from s2v_ray.media.square import displayed_size


@dataclass(frozen=True)
class MediaInfo:
    """A video file's spans in seconds on one clock, whose zero is the file's start, and its measures.

    `width` and `height` are upright, in square pixels; `frame_rate` is the mean where it varies.
    """

    picture_start: Fraction
    picture_end: Fraction
    sound_start: Fraction
    sound_end: Fraction
    width: int
    height: int
    frame_rate: Fraction
    sample_rate: int
    channels: int


def probe(path: str | Path) -> MediaInfo:
    """Look through the file `path`: its packets are read, its sound is decoded, and of its picture the first frame.

    Raises MediaError `not_found`, `unreadable`, `no_video`, `no_audio`, `undecodable_video` or `undecodable_audio`.
    """
    with open_container(path) as picture_file, open_container(path) as sound_file:
        zero = clock_zero(picture_file)
        video, audio = video_stream(picture_file), audio_stream(sound_file)
        frame, times, last_duration = _look_at_picture(picture_file, video)
        width, height = displayed_size(frame, video.sample_aspect_ratio)
        sound_start, sound_end = sound_span(sound_file, audio, zero, threads=1)
        return MediaInfo(
            picture_start=times[0] - zero,
            picture_end=times[-1] + last_duration - zero,
            sound_start=sound_start,
            sound_end=sound_end,
            width=width,
            height=height,
            frame_rate=_frame_rate(video, times, last_duration),
            sample_rate=audio.codec_context.sample_rate,
            channels=audio.codec_context.channels,
        )


def _look_at_picture(container: InputContainer, stream: VideoStream) -> tuple[VideoFrame, list[Fraction], Fraction]:
    """The first frame that decodes, the sorted times of it and of all after it, and the last one's duration."""
    first: VideoFrame | None = None
    durations: dict[int, int] = {}
    for packet in read_packets(container, stream):
        if first is None:
            first = next(iter(decode_packet(stream, packet)), None)
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and not packet.is_discard:
            durations[stamp] = packet.duration or 0
    first = first or next(iter(decode_packet(stream, None)), None)
    if first is None:
        raise undecodable(container, stream)
    begin = first.pts if first.pts is not None else min(durations, default=0)
    stamps = sorted({begin, *(stamp for stamp in durations if stamp > begin)})
    last_duration = durations.get(stamps[-1]) or median([b - a for a, b in pairwise(stamps)] or [0])
    time_base = stream.time_base or Fraction(0)
    return first, [stamp * time_base for stamp in stamps], Fraction(last_duration) * time_base


def _frame_rate(stream: VideoStream, times: list[Fraction], last_duration: Fraction) -> Fraction:
    """The rate that the header names where the times bear it out to a hundredth, or else their mean rate."""
    named = stream.guessed_rate or Fraction(0)
    if len(times) == 1:
        return 1 / last_duration if last_duration else named
    mean = (len(times) - 1) / (times[-1] - times[0])
    return named if abs(named - mean) <= mean / 100 else mean.limit_denominator(1001)
