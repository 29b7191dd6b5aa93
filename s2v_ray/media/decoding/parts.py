"""Files whose times begin anew on the way, as where one was appended to another: one clock for all parts."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

# Of these, times are counted by the reader, or listed in order: they can't begin anew.
_COUNTED_FORMATS = {
    *("mov,mp4,m4a,3gp,3g2,mj2", "wav", "mp3", "aac", "aiff", "au", "caf", "w64", "avi", "ac3", "eac3", "amr"),
    *("gif", "image2", "png_pipe", "jpeg_pipe"),
}
# Times that go back by less are disorder, and so are those that come back within a few packets.
_LEAST_BACK_SECONDS = Fraction(1, 2)
_CONFIRMING_PACKETS, _REMEMBERED_PACKETS = 8, 4
_MOST_HELD_PACKETS = 500
# Times can't jump ahead so far: it is how FFmpeg shows an MPEG clock that begins anew far back, as one that wraps.
_WRAP_SECONDS = Fraction(12 * 3600)


@dataclass(frozen=True)
class Part:
    """A part of a file after the first: from which byte on a stream's packets are in it, and by how much they shift.

    `positions` are by the stream's index; a stream that isn't there begins at `position`.
    """

    position: int
    positions: Mapping[int, int]
    shift_seconds: Fraction


def may_begin_anew(format_name: str) -> bool:
    """Whether times may begin anew in files of a format."""
    return format_name not in _COUNTED_FORMATS


def shifted(packets: Iterable[Any], parts: Sequence[Part]) -> Iterator[Any]:
    """The packets, those of later parts at their time on the clock of the first."""
    if not parts:
        yield from packets
        return
    position: dict[int, int] = {}  # by stream, of its last packet: one that follows in the same unit has none
    for packet in packets:
        index, shift = packet.stream_index, Fraction(0)
        if packet.pos is not None and packet.pos >= 0:
            position[index] = packet.pos
        for part in parts:
            if position.get(index, 0) >= part.positions.get(index, part.position):
                shift = part.shift_seconds
        if shift:
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        yield packet


@dataclass
class _OpenPart:
    """A part while it is read: where each stream begins in it, its first and last times and its latest ones."""

    positions: dict[int, int] = field(default_factory=dict)
    starts: dict[int, Fraction] = field(default_factory=dict)
    ends: dict[int, Fraction] = field(default_factory=dict)
    recent: dict[int, deque[Fraction]] = field(default_factory=dict)

    def goes_back(self, index: int, time: Fraction) -> bool:
        recent = self.recent.get(index, ())
        return bool(recent) and (time < min(recent) - _LEAST_BACK_SECONDS or time > max(recent) + _WRAP_SECONDS)

    def add(self, packet: Any, time: Fraction) -> None:
        index, shown = packet.stream_index, packet.pts if packet.pts is not None else packet.dts
        start = max(shown * packet.time_base, Fraction(0))  # what is before is a header, or what a coder put in front
        end = start + (packet.duration or 0) * packet.time_base
        if packet.pos is not None and packet.pos >= 0:
            self.positions.setdefault(index, packet.pos)
        self.starts[index] = min(self.starts.get(index, start), start)
        self.ends[index] = max(self.ends.get(index, end), end)
        self.recent.setdefault(index, deque(maxlen=_REMEMBERED_PACKETS)).append(time)


def find_parts(packets: Iterable[Any]) -> tuple[Part, ...]:
    """The parts after the first of the streams with these packets, in the order of the file.

    A part starts where the times of a stream go back for good: they are half a second earlier, and stay so. It follows
    on what ends last in the part before; picture and sound shift alike.
    """
    done: list[_OpenPart] = []
    part = _OpenPart()
    held: list[tuple[Any, Fraction]] = []  # since a stream went back, until it is known whether it stays there
    for packet in packets:
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            continue
        time = stamp * packet.time_base
        if not held and not part.goes_back(packet.stream_index, time):
            part.add(packet, time)
            continue
        held.append((packet, time))
        leader = held[0][0].stream_index
        own = sum(held_packet.stream_index == leader for held_packet, _ in held)
        if packet.stream_index == leader and not part.goes_back(leader, time):  # it came back: disorder
            part = _settled(part, held, done, is_new=False)
            held = []
        elif own >= _CONFIRMING_PACKETS or len(held) >= _MOST_HELD_PACKETS:
            part = _settled(part, held, done, is_new=True)
            held = []
    if held:  # a single packet at the end is disorder
        part = _settled(part, held, done, is_new=len(held) > 1)
    done.append(part)
    return tuple(_on_one_clock(done))


def _settled(
    part: _OpenPart, held: Sequence[tuple[Any, Fraction]], done: list[_OpenPart], *, is_new: bool
) -> _OpenPart:
    """The part that goes on after the packets `held`, which are in a new one or in `part`."""
    if is_new:
        leader, first_time = held[0][0].stream_index, held[0][1]
        lasted = part.ends[leader] - part.starts[leader]
        others_began = any(index != leader for index in part.starts)
        if done and others_began and lasted < _LEAST_BACK_SECONDS * 4 and first_time < part.starts[leader]:
            # The last of the part before, read after another stream had begun anew.
            del part.positions[leader], part.starts[leader], part.ends[leader], part.recent[leader]
        else:
            done.append(part)
            part = _OpenPart()
    for packet, time in held:
        part.add(packet, time)
    return part


def _on_one_clock(parts: Sequence[_OpenPart]) -> Iterator[Part]:
    end = max(parts[0].ends.values(), default=Fraction(0))
    for part in parts[1:]:
        shift = end - min(part.starts.values())
        if part.positions:
            yield Part(min(part.positions.values()), part.positions, shift)
        end = shift + max(part.ends.values())
