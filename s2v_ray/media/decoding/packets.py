"""Reading a stream's packets and decoding them to frames."""

from collections.abc import Iterator, Sequence
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.seeking import Cue, MissedError, needed_packets

# Decoders that leave out, when asked to, just the pictures to which no other refers.
_DROPPING_DECODERS = {"h264"}


def decode_video(
    container: InputContainer, stream: VideoStream, budget: Budget | None = None, cue: Cue | None = None
) -> Iterator[VideoFrame]:
    """Every frame of `stream` that decodes, in the order shown; with a `cue`, those that it wants and some others.

    Frames from `cue.stamp` on, and the one displayed then, are the same as without a cue.
    Raises MediaError `too_slow` or `too_large`, and MissedError.
    """
    budget = budget or Budget()
    budget.check_pixels(container, stream)
    # Also where the size changes on the way: the decoder refuses before it takes the memory.
    stream.codec_context.options = {"max_pixels": str(budget.limits.max_pixels)}
    return _decode(container, stream, budget, cue)


def decode_audio(
    container: InputContainer, stream: AudioStream, budget: Budget | None = None, cue: Cue | None = None
) -> Iterator[AudioFrame]:
    """Every frame of `stream` that decodes; with a `cue`, those from `cue.stamp` on and some others.

    Raises MediaError `too_slow`, and MissedError.
    """
    return _decode(container, stream, budget or Budget(), cue)


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
        except IndexError:  # the packet of a stream that turns up on the way, and so of none of these
            packets = container.demux(*streams)
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
    container: InputContainer, stream: VideoStream | AudioStream, budget: Budget, cue: Cue | None
) -> Iterator[Any]:
    stream.codec_context.thread_count = 1  # sources are prepared beside each other
    packets = read_packets(container, [stream], budget)
    landing: int | None = None  # the time of the keyframe jumped to, until its picture comes
    may_drop = stream.codec_context.name in _DROPPING_DECODERS
    for packet, is_jump, is_past in needed_packets(packets, cue or Cue(), container, stream):
        if may_drop:
            stream.codec_context.skip_frame = "NONREF" if is_past else "DEFAULT"
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
