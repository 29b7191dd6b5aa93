"""Skipping the packets that no wanted frame depends on, by reading past them or by a seek."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.media_file import Track

# A gap longer than this is crossed by a seek, a shorter one by reading on.
SEEK_FROM_SECONDS = 10
# In some formats a seek goes by decoding times, which are at most this much earlier.
SEEK_MARGIN_SECONDS = 1
# A group of pictures longer than this is decoded as it comes rather than held: 20 s at 60 fps.
MAX_HELD_PACKETS = 1200
# These have an index of exact times, which is read when the file is opened (Matroska: by the first seek).
_WHOLLY_INDEXED_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2"}
_INDEXED_FORMATS = {*_WHOLLY_INDEXED_FORMATS, "matroska,webm"}
# Those whose packets say reliably which of them are keyframes, and when they are displayed.
_SKIPPABLE_FORMATS = {*_INDEXED_FORMATS, "avi", "flv", "mpeg", "mpegts"}


@dataclass
class Cue:
    """From which time on, in a stream's own ticks, frames are wanted next; None while all are.

    The consumer of the frames sets `stamp`; the reader may then skip the packets before the last keyframe that is not
    after it, and notes that in `has_skipped`.
    """

    stamp: int | None = None
    has_skipped: bool = False


class MissedError(Exception):
    """What follows depends on what was skipped: decode from the beginning instead."""


_Fill = Callable[[Sequence[Fraction], Track, Cue | None], Iterator[np.ndarray | MediaError]]
_NeededPacket = tuple["av.Packet[Any]", bool, bool]


def fill_windows(
    fill: _Fill, starts: Sequence[Fraction], open_track: Callable[[], Track]
) -> Iterator[np.ndarray | MediaError]:
    """What `fill(starts, track, cue)` yields, one result per start; where skipping fails, the rest without a cue.

    The track is opened at once.
    """
    track = open_track()

    def results() -> Iterator[np.ndarray | MediaError]:
        done = 0
        try:
            for result in fill(starts, track, Cue()):
                yield result
                done += 1
        except MissedError:
            yield from fill(starts[done:], open_track(), None)

    return results()


def needed_packets(packets: Iterator[Any], cue: Cue, track: Track) -> Iterator[_NeededPacket]:
    """(packet, is_jump, is_past) of each packet that a frame wanted by `cue` depends on.

    `is_jump`: packets before it were skipped. `is_past`: its frame is no longer displayed when the first wanted time
    comes, so it matters only if others refer to it.
    Packets are held until it is known that no later keyframe will do, so that nothing is decoded but what the wanted
    frames need. Long gaps are crossed by a seek. Formats that don't mark keyframes reliably are read through.
    Raises MissedError where a seek doesn't land on a keyframe.
    """
    container, stream = track.container, track.stream
    if container.format.name not in _SKIPPABLE_FORMATS or track.parts:
        yield from ((packet, False, False) for packet in packets)
        return
    held: list[av.Packet[Any]] = []
    is_jump = False
    may_seek = container.format.name in _INDEXED_FORMATS
    left_at: int | None = None  # the decoding time before a seek, until that lands on a keyframe
    for packet in packets:
        goal: Any = cue.stamp
        dts = packet.dts
        is_start = goal is not None and packet.is_keyframe and packet.pts is not None and packet.pts <= goal
        leads = goal is not None and dts is not None and dts <= goal
        if left_at is not None:
            if dts is not None and not leads:
                raise MissedError
            if not is_start:
                continue  # Matroska has no decoding times right after a seek
            is_jump = True
            may_seek = packet.pts > left_at  # a seek that went back means that keyframes are rare: seeks gain nothing
            left_at = None
        elif is_start and held:
            is_jump, held = True, []
        cue.has_skipped |= is_jump
        held.append(packet)
        if not leads or len(held) > MAX_HELD_PACKETS:
            yield from _released(held, is_jump, None if leads else goal)
            is_jump, held = False, []
        elif may_seek and _is_worth_a_seek(track, dts, goal):
            try:
                container.seek(goal - _ticks(SEEK_MARGIN_SECONDS, track), stream=stream)
            except av.error.FFmpegError:
                raise MissedError from None
            left_at, held = dts, []
    if left_at is not None:
        raise MissedError
    yield from _released(held, is_jump, cue.stamp)


def _released(held: list["av.Packet[Any]"], is_jump: bool, goal: int | None) -> Iterator[_NeededPacket]:
    """The packets `held`; with a `goal`, they include all that are displayed until then."""
    displayed_at = max((p.pts for p in held if goal is not None and p.pts is not None and p.pts <= goal), default=None)
    for number, packet in enumerate(held):
        is_past = displayed_at is not None and packet.pts is not None and packet.pts < displayed_at
        yield packet, is_jump and number == 0, is_past


def seek(track: Track, seconds: Fraction) -> None:
    """Go to the packet to decode from for what is displayed at `seconds` after the file's start.

    Where the format can't say which that is, go to the file's start; where times begin anew on the way, stay.
    """
    container, stream = track.container, track.stream
    if track.parts:
        return  # a time may be in several places: read on instead
    target = int((track.zero + seconds) / track.time_base)
    track.decoder.flush_buffers()
    try:
        container.seek(target, stream=stream)
        packet = next(container.demux(stream))
        if packet.is_keyframe and packet.pts is not None and packet.pts <= target:
            container.seek(target, stream=stream)  # so that this packet is read again
            return
    except (av.error.FFmpegError, StopIteration):
        pass
    with contextlib.suppress(av.error.FFmpegError):
        container.seek(container.start_time or 0)


def _is_worth_a_seek(track: Track, dts: int, goal: int) -> bool:
    """Whether there is a long gap from `dts` to `goal`, with a keyframe on the way as far as the index tells."""
    if goal - dts < _ticks(SEEK_FROM_SECONDS, track):
        return False
    if track.container.format.name not in _WHOLLY_INDEXED_FORMATS:
        return True
    entries = track.stream.index_entries
    index = entries.search_timestamp(goal - _ticks(SEEK_MARGIN_SECONDS, track))
    return bool(index >= 0 and entries[index].timestamp > dts)


def _ticks(seconds: float, track: Track) -> int:
    return math.ceil(seconds / track.time_base)
