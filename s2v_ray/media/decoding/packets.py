"""Reading a track's packets and decoding them to frames."""

from collections.abc import Iterator
from typing import Any

import av

from s2v_ray.media.decoding.demux import decode_packet, demux
from s2v_ray.media.decoding.media_file import Track
from s2v_ray.media.decoding.parts import shifted
from s2v_ray.media.decoding.seeking import Cue, MissedError, needed_packets

# Decoders that can be asked to leave out the pictures to which no other refers, and only those.
_DROPPING_DECODERS = {"h264"}


def read_packets(*tracks: Track) -> Iterator["av.Packet[Any]"]:
    """The packets of tracks of one container, and of these alone, up to where the file ends or breaks off.

    Where times begin anew on the way, they are those of the first part's clock. Raises MediaError `too_slow`.
    """
    first = tracks[0]
    return shifted(demux(first.container, [track.stream for track in tracks], first.budget), first.parts)


def decode_frames(track: Track, cue: Cue | None = None) -> Iterator[Any]:
    """Every VideoFrame (in display order) or AudioFrame that decodes; with a `cue`, those that it wants and some more.

    Frames from `cue.stamp` on, and the video frame displayed then, are the same as without a cue.
    Raises MediaError `too_slow`, for video also `too_large`, and MissedError.
    """
    decoder, is_video = track.decoder, track.stream.type == "video"
    if is_video:
        track.budget.limit_pixels(track.container, decoder)
    packets = read_packets(track)
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
