"""Reading a stream's packets and decoding them to frames."""

from collections.abc import Iterator, Sequence
from typing import Any

import av
from av.container import InputContainer
from av.stream import Discard

from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.media_file import Track
from s2v_ray.media.decoding.seeking import Cue, MissedError, needed_packets

# Decoders that can be asked to leave out the pictures to which no other refers, and only those.
_DROPPING_DECODERS = {"h264"}


def read_packets(
    container: InputContainer, streams: Sequence[Any], budget: Budget | None = None
) -> Iterator["av.Packet[Any]"]:
    """The packets of `streams` alone, up to where the file ends or breaks off.

    Raises MediaError `too_slow`.
    """
    budget = budget or Budget()
    wanted = {stream.index for stream in streams}
    for stream in container.streams:
        stream.discard = Discard.default if stream.index in wanted else Discard.all
    packets = container.demux(*streams)
    while True:
        budget.check_time(container)
        try:
            yield next(packets)
        except IndexError:  # a packet of a stream that appears later in the file, and so of none of these
            packets = container.demux(*streams)
        except (StopIteration, av.error.FFmpegError):
            return


def decode_packet(decoder: Any, packet: "av.Packet[Any] | None") -> list[Any]:
    """The frames that `packet` completes (None: those still held back); none where it is damaged.

    An empty packet means "as before" (Theora has them) and decodes to none: the decoder would take it for the end.
    """
    if packet is not None and not packet.size:
        return []
    try:
        frames: list[Any] = decoder.decode(packet)
    except av.error.FFmpegError:
        return []
    return frames


def decode_frames(track: Track, cue: Cue | None = None) -> Iterator[Any]:
    """Every VideoFrame (in display order) or AudioFrame that decodes; with a `cue`, those that it wants and some more.

    Frames from `cue.stamp` on, and the video frame displayed then, are the same as without a cue.
    Raises MediaError `too_slow`, for video also `too_large`, and MissedError.
    """
    decoder, is_video = track.decoder, track.stream.type == "video"
    if is_video:
        track.budget.limit_pixels(track.container, decoder)
    packets = read_packets(track.container, [track.stream], track.budget)
    landing: int | None = None  # the time of the keyframe jumped to, until it is decoded
    for packet, is_jump, is_past in needed_packets(packets, cue or Cue(), track):
        if decoder.name in _DROPPING_DECODERS:
            decoder.skip_frame = "NONREF" if is_past else "DEFAULT"
        if is_jump:
            decoder.flush_buffers()
            landing = packet.pts if is_video else None
        for frame in decode_packet(decoder, packet):
            if landing is not None:
                if frame.pts is not None and frame.pts < landing:
                    continue  # it needs frames from before the keyframe
                if frame.pts != landing or not frame.key_frame:
                    raise MissedError  # it is none, as in intra refresh, or where all packets claim to be keyframes
                landing = None
            yield frame
    yield from decode_packet(decoder, None)
