"""Over what scores are averaged and intervals are made: sources, or where these are too few, moments of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2v_ray.dataset.reader import Clip

SOURCES, BLOCKS, CLIPS = "sources", "blocks of time", "clips"
LEAST_UNITS = 3  # units for an interval that says something


@dataclass(frozen=True)
class Units:
    """What a unit is (SOURCES, BLOCKS or CLIPS), and the name of each clip's unit."""

    kind: str
    names: list[str]


def score_units(moments: Sequence[tuple[str, float]], clip_seconds: float) -> Units:
    """The units of clips, each given by its source and its start in seconds.

    Sources, if there are at least three. Otherwise blocks of time, which are clips of a source that overlap each other
    or follow within a second, if there are at least three of these, and otherwise clips. Clips of a block may overlap,
    so that an interval over them is narrower than it should be.
    """
    sources = [source for source, _ in moments]
    if len(set(sources)) >= LEAST_UNITS:
        return Units(SOURCES, sources)
    blocks = [""] * len(moments)
    name, end = "", ("", 0.0)
    for number in sorted(range(len(moments)), key=lambda number: moments[number]):
        source, start = moments[number]
        if not name or source != end[0] or start > end[1] + 1:
            name = unit_name(source, start)
        end = (source, start + clip_seconds)
        blocks[number] = name
    if len(set(blocks)) >= LEAST_UNITS:
        return Units(BLOCKS, blocks)
    return Units(CLIPS, [unit_name(source, start) for source, start in moments])


def unit_name(source: str, start_seconds: float) -> str:
    """Of a block or a clip."""
    return f"{source} at {start_seconds:.2f} s"


def moment(clip: Clip) -> tuple[str, float]:
    """A clip's source and start in seconds."""
    return clip.source, clip.start_seconds
