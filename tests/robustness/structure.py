"""What a file is made of, and how to break that: fields get other values, elements go, come twice or change places."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

MOST_WORDS = 48  # of an element: what follows is mostly coded pictures and sound


@dataclass(frozen=True)
class Field:
    """A number in a file: `size` bytes at `start`."""

    name: str
    start: int
    size: int
    order: Literal["big", "little"] = "big"


@dataclass(frozen=True)
class Element:
    """A box, chunk, page or packet: the bytes from `start` to `end`; `lengths` are its own and those around it."""

    name: str
    start: int
    end: int
    lengths: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The fields and the elements of a file."""

    fields: list[Field] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)

    def words(self, name: str, start: int, end: int, size: int, order: Literal["big", "little"] = "big") -> None:
        """Take the bytes from `start` to `end` as numbers of `size` bytes each."""
        for index in range(min(MOST_WORDS, (end - start) // size)):
            self.fields.append(Field(name, start + index * size, size, order))


@dataclass(frozen=True)
class Variant:
    """A broken file, and in words how it was broken."""

    content: bytes = field(repr=False)
    edits: tuple[str, ...]


def _values(before: int, size: int) -> st.SearchStrategy[int]:
    top = 256**size - 1
    powers = [2**bits + step for bits in range(8 * size + 1) for step in (-1, 0, 1)]
    near = [before - 1, before + 1, 2 * before, before // 2, before ^ 1, top - before]
    return st.sampled_from([each for each in [*near, *powers, top - 1] if 0 <= each <= top]) | st.integers(0, top)


@st.composite
def variants(
    draw: DrawFn, original: bytes, layout: Layout, mend: Callable[[bytes], bytes] = lambda content: content
) -> Variant:
    """Up to four fields changed, at most one element moved, and sometimes the end cut off.

    `mend` makes checksums right again, without which a reader looks no further; in some variants it is left out.
    """
    content, edits = bytearray(original), list[str]()
    by_name = defaultdict(list)
    for each in layout.fields:
        by_name[each.name].append(each)
    names = sorted(by_name)
    for _ in range(draw(st.integers(0, 4))):
        target = draw(st.sampled_from(by_name[draw(st.sampled_from(names))]))
        stretch = slice(target.start, target.start + target.size)
        value = draw(_values(int.from_bytes(content[stretch], target.order), target.size))
        content[stretch] = value.to_bytes(target.size, target.order)
        edits.append(f"{target.name} at {target.start} = {value:#x}")
    move = draw(st.sampled_from(["stay", "stay", "drop", "repeat", "swap", "grow"]))
    if move != "stay" and layout.elements:
        _move(draw, content, layout, move, edits)
    if draw(st.integers(0, 7)) == 0 or not edits:
        cut = draw(st.integers(0, len(content)))
        del content[cut:]
        edits.append(f"cut at {cut}")
    whole = bytes(content)
    return Variant(mend(whole) if draw(st.integers(0, 4)) else whole, tuple(edits))


def _move(draw: DrawFn, content: bytearray, layout: Layout, move: str, edits: list[str]) -> None:
    chosen = draw(st.sampled_from(layout.elements))
    stretch = bytes(content[chosen.start : chosen.end])
    before = len(content)
    if move == "drop":
        del content[chosen.start : chosen.end]
    elif move == "repeat":
        content[chosen.end : chosen.end] = stretch * draw(st.sampled_from([1, 2, 30]))
    elif move == "grow":
        content[chosen.end : chosen.end] = bytes(draw(st.sampled_from([1, 7, 4096])))
    else:
        other = draw(st.sampled_from(layout.elements))
        first, second = sorted((chosen, other), key=lambda element: element.start)
        if first.end <= second.start:
            between = content[first.end : second.start]
            swapped = content[second.start : second.end] + between + content[first.start : first.end]
            content[first.start : second.end] = swapped
        edits.append(f"swap {first.name} at {first.start} with {second.name} at {second.start}")
        return
    fits = draw(st.booleans())
    if fits:  # the sizes around it agree
        around = chosen.lengths if move == "grow" else chosen.lengths[:-1]
        for length in around:
            place = slice(length.start, length.start + length.size)
            grown = int.from_bytes(content[place], length.order) + len(content) - before
            content[place] = (grown % 256**length.size).to_bytes(length.size, length.order)
    edits.append(f"{move} {chosen.name} at {chosen.start}{', sizes mended' if fits else ''}")
