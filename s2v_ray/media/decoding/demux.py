"""Reading streams' packets, and decoding them to frames."""

from collections.abc import Iterator, Sequence
from typing import Any

import av
from av.container import InputContainer
from av.stream import Discard

from s2v_ray.media.decoding.limits import Budget


def demux(container: InputContainer, streams: Sequence[Any], budget: Budget) -> Iterator["av.Packet[Any]"]:
    """The packets of `streams` alone, with their own times, up to where the file ends or breaks off.

    Raises MediaError `too_slow`.
    """
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
