"""Which of a file's streams is its picture, and which its sound: the first that works, in FFmpeg's order."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.stream import Disposition

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.demux import decode_packet, demux
from s2v_ray.media.decoding.formats import is_picture_item
from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.samples import Resamplers, channel_samples

Kind = Literal["video", "audio"]

_STILL = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# A track that is never louder is silent: -70 dB of full scale.
_LEAST_PEAK = 10 ** (-70 / 20)


@dataclass(frozen=True)
class TrackNumbers:
    """Which of a file's video and audio tracks to take, counted from 1; 0 is the first that works."""

    video: int = 0
    audio: int = 0


@dataclass(frozen=True)
class TakenTrack:
    """The stream that is taken: its index in the file, and which of how many of its kind it is, counted from 1."""

    index: int
    number: int
    count: int


def candidates(container: InputContainer, kind: Kind) -> list[Any]:
    """The streams that may be it, likeliest first; attached and other marked still pictures are no video."""
    best = container.streams.best(kind)
    if best is None and kind == "audio":  # none has channels and a rate
        return []
    streams = [
        s for s in _tracks(container, kind) if kind == "audio" or not (s.disposition & _STILL or is_picture_item(s))
    ]
    return sorted(streams, key=lambda stream: best is None or stream.index != best.index)  # keeps the others' order


def needs_reading(container: InputContainer, kind: Kind, number: int) -> bool:
    """Whether `take_track` has to read packets to choose."""
    return not number and len([s for s in candidates(container, kind) if s.codec_context is not None]) > 1


def take_track(container: InputContainer, kind: Kind, number: int, budget: Budget) -> TakenTrack | None:
    """The track with this number; by default the first candidate that has a decoder and moves, or sounds.

    Where none works it is the first, and where there is none at all, None. Read the file anew if it `needs_reading`.
    Raises MediaError `no_such_track` and `too_slow`.
    """
    tracks, usable = _tracks(container, kind), candidates(container, kind)
    if number > len(tracks):
        rule = f"--{kind}-track is {number}, but '{container.name}' has {len(tracks)} {kind} tracks"
        raise MediaError("no_such_track", f"{rule}; they count from 1, and 0 takes the first that works.")
    if number:
        return TakenTrack(tracks[number - 1].index, number, len(tracks))
    usable = [stream for stream in usable if stream.codec_context is not None] or usable
    if not usable:
        return None
    working = _first_working(container, usable, budget) if len(usable) > 1 else None
    index = (working or usable[0]).index
    return TakenTrack(index, 1 + [stream.index for stream in tracks].index(index), len(tracks))


def _tracks(container: InputContainer, kind: Kind) -> list[Any]:
    return list(container.streams.video if kind == "video" else container.streams.audio)


def _first_working(container: InputContainer, streams: list[Any], budget: Budget) -> Any:
    """The first of `streams` that moves or sounds; None if none does."""
    times: dict[int, set[int]] = {stream.index: set() for stream in streams}
    working: set[int] = set()
    resamplers: Resamplers = {}
    for packet in demux(container, streams, budget):
        index = packet.stream_index
        if index in working or index not in times:
            continue
        if packet.stream.type == "video":
            times[index] |= {packet.pts} if packet.pts is not None and packet.size else set()
            works = len(times[index]) > 1
        else:
            works = any(_sounds(frame, resamplers) for frame in decode_packet(packet.stream.codec_context, packet))
        if works:
            working.add(index)
            if index == streams[0].index:
                break
    return next((stream for stream in streams if stream.index in working), None)


def _sounds(frame: AudioFrame, resamplers: Resamplers) -> bool:
    return bool(np.abs(channel_samples(frame, resamplers)).max(initial=0) > _LEAST_PEAK)
