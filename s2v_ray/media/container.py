"""Opening a media file, choosing its streams, its clock's zero, and decoding what is wanted of one stream."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from s2v_ray.config.errors import MediaError

# A gap longer than this is crossed by a seek, a shorter one by reading on.
SEEK_FROM_SECONDS = 10
# A seek goes by decoding times in some formats, which are this much earlier at most.
SEEK_MARGIN_SECONDS = 1
# A group of pictures longer than this is decoded as it comes rather than held: 20 s at 60 fps.
MAX_HELD_PACKETS = 1200
# An index of exact times, known before (or once) a seek asks for it.
_WHOLLY_INDEXED_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2"}
_INDEXED_FORMATS = {*_WHOLLY_INDEXED_FORMATS, "matroska,webm"}
# Those whose packets say truly which of them are keyframes, and when they are.
_SKIPPABLE_FORMATS = {*_INDEXED_FORMATS, "avi", "flv", "mpeg", "mpegts"}

av.logging.set_level(None)  # FFmpeg says nothing by itself: what matters becomes a MediaError


def open_container(path: str | Path) -> InputContainer:
    """Open the local media file `path` for reading; close it, or use it in a `with`.

    Raises MediaError `not_found` or `unreadable`.
    """
    try:
        return av.open(str(path), "r", metadata_errors="replace")
    except FileNotFoundError:
        raise MediaError("not_found", f"There is no file '{path}'; check its name.") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError("unreadable", f"'{path}' can't be read as video or sound ({_why(error)}).") from None


def video_stream(container: InputContainer) -> VideoStream:
    """The picture stream that FFmpeg chooses by default; cover art is none.

    Raises MediaError `no_video`, and `undecodable_video` where there is no decoder.
    """
    stream = _best_video(container)
    if stream is None:
        raise MediaError("no_video", f"'{container.name}' ({container.format.name}) has no moving picture.")
    if stream.codec_context is None:
        raise undecodable(container, stream)
    return stream


def audio_stream(container: InputContainer) -> AudioStream:
    """The sound stream that FFmpeg chooses by default.

    Raises MediaError `no_audio`, and `undecodable_audio` where there is no decoder.
    """
    stream = _best_audio(container)
    if stream is None:
        raise MediaError("no_audio", f"'{container.name}' ({container.format.name}) has no sound.")
    if stream.codec_context is None:
        raise undecodable(container, stream)
    return stream


def undecodable(container: InputContainer, stream: VideoStream | AudioStream) -> MediaError:
    """The error for a stream of which nothing decodes."""
    name = stream.codec_context.name if stream.codec_context else "unknown codec"
    what = "picture" if stream.type == "video" else "sound"
    return MediaError(f"undecodable_{stream.type}", f"No {what} of '{container.name}' can be decoded ({name}).")


def clock_zero(container: InputContainer) -> Fraction:
    """The time in seconds, by the streams' own timestamps, at which the file starts: the earlier of the two."""
    streams = [stream for stream in (_best_video(container), _best_audio(container)) if stream is not None]
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=Fraction(0))


@dataclass(frozen=True)
class Limits:
    """What one source may cost at most, so that no file holds up or fills up a machine.

    `max_source_seconds` is the time spent on it, `max_pixels` its coded width times height, `max_duration_seconds`
    how long it plays.
    """

    max_source_seconds: float = 3600.0
    max_pixels: int = 8192 * 8192
    max_duration_seconds: float = 24 * 3600.0


@dataclass(frozen=True)
class Budget:
    """The limits of one source and when work on it began, by `time.monotonic`."""

    limits: Limits = Limits()
    started_at: float = field(default_factory=time.monotonic)

    def check_time(self, container: InputContainer) -> None:
        """Raise MediaError `too_slow` where the time is spent."""
        limit = self.limits.max_source_seconds
        if time.monotonic() - self.started_at > limit:
            raise MediaError(
                "too_slow",
                f"Reading '{container.name}' took longer than {limit:g} s; "
                "convert it with another program, or allow more with --max-source-seconds.",
            )

    def check_pixels(self, container: InputContainer, stream: VideoStream) -> None:
        """Raise MediaError `too_large` where a coded picture has too many pixels."""
        width, height, limit = stream.codec_context.width, stream.codec_context.height, self.limits.max_pixels
        if width * height > limit:
            raise MediaError(
                "too_large",
                f"The picture of '{container.name}' is {width} x {height}, more than {limit} pixels; "
                "scale it down first, or allow more with --max-pixels.",
            )

    def check_duration(self, container: InputContainer, seconds: Fraction) -> None:
        """Raise MediaError `too_long` where a source plays longer than allowed."""
        limit = self.limits.max_duration_seconds
        if seconds > limit:
            raise MediaError(
                "too_long",
                f"'{container.name}' lasts {float(seconds):.2f} s, more than {limit:g} s; "
                "cut it into parts, or allow more with --max-duration-seconds.",
            )


@dataclass
class Cue:
    """From which time on, in a stream's own ticks, frames are wanted next; None while all are.

    Who consumes the frames sets `stamp`; the reader may then leave out the packets before the last keyframe that is
    not after it, and notes that in `has_skipped`.
    """

    stamp: int | None = None
    has_skipped: bool = False


class MissedError(Exception):
    """What was left out can't be joined to what follows: decode from the beginning instead."""


def decode_video(
    container: InputContainer, stream: VideoStream, threads: int, budget: Budget | None = None, cue: Cue | None = None
) -> Iterator[VideoFrame]:
    """Every frame of `stream` that decodes, in the order shown; with a `cue`, those that it wants and some others.

    Frames from `cue.stamp` on, and the one displayed then, are the same as without a cue.
    Raises MediaError `too_slow` or `too_large`, and MissedError.
    """
    budget = budget or Budget()
    budget.check_pixels(container, stream)
    # Also where the size changes on the way: the decoder refuses before it takes the memory.
    stream.codec_context.options = {"max_pixels": str(budget.limits.max_pixels)}
    return _decode(container, stream, threads, budget, cue)


def decode_audio(
    container: InputContainer, stream: AudioStream, threads: int, budget: Budget | None = None, cue: Cue | None = None
) -> Iterator[AudioFrame]:
    """Every frame of `stream` that decodes; with a `cue`, those from `cue.stamp` on and some others.

    Raises MediaError `too_slow`, and MissedError.
    """
    return _decode(container, stream, threads, budget or Budget(), cue)


def read_packets(
    container: InputContainer, streams: Sequence[VideoStream | AudioStream], budget: Budget | None = None
) -> Iterator[av.Packet]:
    """The packets of `streams` alone, up to where the file ends or breaks off.

    Raises MediaError `too_slow`.
    """
    budget = budget or Budget()
    wanted = {stream.index for stream in streams}
    for other in container.streams:
        if other.index not in wanted:
            other.discard = Discard.all
    packets = container.demux(*streams)
    while True:
        budget.check_time(container)
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def decode_packet(stream: VideoStream | AudioStream, packet: av.Packet | None) -> list[Any]:
    """The frames that `packet` completes (None: those still held back); none where it is damaged.

    An empty packet means "as before" (Theora has them) and gives none: the decoder would take it for the end.
    """
    if packet is not None and not packet.size:
        return []
    try:
        return stream.decode(packet)
    except av.error.FFmpegError:
        return []


def _decode(
    container: InputContainer, stream: VideoStream | AudioStream, threads: int, budget: Budget, cue: Cue | None
) -> Iterator[Any]:
    stream.codec_context.thread_type, stream.codec_context.thread_count = ThreadType.AUTO, threads
    packets = read_packets(container, [stream], budget)
    can_skip = cue is not None and container.format.name in _SKIPPABLE_FORMATS
    landing: int | None = None  # the time of the keyframe jumped to, until its picture comes
    for packet, is_jump in (
        _toward(cue, packets, container, stream) if cue and can_skip else zip(packets, repeat(False), strict=False)
    ):
        if is_jump:
            if stream.codec_context.is_open:
                stream.codec_context.flush_buffers()
            landing = packet.pts if stream.type == "video" else None
        for frame in decode_packet(stream, packet):
            if landing is not None:
                if frame.pts is not None and frame.pts < landing:
                    continue  # it needs pictures from before the keyframe
                if frame.pts != landing or not frame.key_frame:
                    raise MissedError  # it is none, as in intra refresh, or where all packets claim to be keyframes
                landing = None
            yield frame
    yield from decode_packet(stream, None)


def _toward(
    cue: Cue, packets: Iterator[Any], container: InputContainer, stream: VideoStream | AudioStream
) -> Iterator[tuple[Any, bool]]:
    """(packet, whether packets before it were left out), without those that do not lead up to what `cue` wants.

    Packets are held until it is known that no later keyframe will do, so that nothing is decoded but what the wanted
    frames need. Long gaps are crossed by a seek.
    """
    held: list[av.Packet] = []
    is_jump = False
    may_seek = container.format.name in _INDEXED_FORMATS
    left_at: int | None = None  # the decoding time at which a seek left, until it lands on a keyframe
    for packet in packets:
        goal: Any = cue.stamp
        dts = packet.dts
        is_start = goal is not None and packet.is_keyframe and packet.pts is not None and packet.pts <= goal
        leads = goal is not None and dts is not None and dts <= goal
        if left_at is not None:
            if dts is not None and not leads:
                raise MissedError
            if not is_start:
                continue  # Matroska gives no decoding times right after a seek
            is_jump = True
            may_seek = packet.pts > left_at  # where it went back, keyframes are rare: seeks gain nothing
            left_at = None
        elif is_start and held:
            is_jump, held = True, []
        cue.has_skipped |= is_jump
        held.append(packet)
        if not leads or len(held) > MAX_HELD_PACKETS:
            yield from zip(held, chain([is_jump], repeat(False)), strict=False)
            is_jump, held = False, []
        elif may_seek and _is_worth_a_seek(container, stream, dts, goal):
            try:
                container.seek(goal - _ticks(SEEK_MARGIN_SECONDS, stream), stream=stream)
            except av.error.FFmpegError:
                raise MissedError from None
            left_at, held = dts, []
    if left_at is not None:
        raise MissedError
    yield from zip(held, chain([is_jump], repeat(False)), strict=False)


def _is_worth_a_seek(container: InputContainer, stream: VideoStream | AudioStream, dts: int, goal: int) -> bool:
    """Whether there is a long gap from `dts` to `goal`, with a keyframe on the way as far as the index tells."""
    if goal - dts < _ticks(SEEK_FROM_SECONDS, stream):
        return False
    if container.format.name not in _WHOLLY_INDEXED_FORMATS:
        return True
    place = stream.index_entries.search_timestamp(goal - _ticks(SEEK_MARGIN_SECONDS, stream))
    return place >= 0 and stream.index_entries[place].timestamp > dts


def _ticks(seconds: float, stream: VideoStream | AudioStream) -> int:
    return math.ceil(seconds / (stream.time_base or Fraction(1)))


def _best_video(container: InputContainer) -> VideoStream | None:
    best = container.streams.best("video")
    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    return best if best in moving else next(iter(moving), None)


def _best_audio(container: InputContainer) -> AudioStream | None:
    return container.streams.best("audio")  # type: ignore[return-value]


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
