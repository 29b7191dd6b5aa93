"""Where the clips of a source start."""

from fractions import Fraction
from itertools import pairwise

import numpy as np

from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.preparation.blocks import Block, seeded

_COVERED = 2  # how often windows that cover a time show each moment of it, on average


def window_starts(source: str, start: Fraction, end: Fraction, settings: ClipSettings) -> list[Fraction]:
    """Sorted starts, in seconds, of windows within [start, end] of the source called `source`.

    Starts are whole frames of the clip's rate, counted from time zero, so that they are exact in a float. Sliding
    windows start at start, start + stride, ... Otherwise `clips_per_source` starts are drawn without replacement, fewer
    if the source is so short that they would be nearly the same: one, and one more for each quarter of a clip that the
    source is longer than a clip. The draw depends on the seed and the source alone.
    """
    first, choices = _choices(start, end, settings)
    if not choices:
        return []
    if settings.stride_seconds > 0:
        return _sliding(first, choices, settings)
    size = min(settings.clips_per_source, _most(choices, settings))
    drawn = seeded(source, settings).choice(choices, size=size, replace=False)
    return [(first + int(frame)) / settings.rate for frame in sorted(drawn)]


def covering_starts(source: str, blocks: list[Block], settings: ClipSettings) -> dict[Fraction, str]:
    """Starts, in seconds, of windows inside the blocks of the source called `source`, each with its block's split.

    As `window_starts`, except that random windows cover the time: there are so many that each moment is in two on
    average, at least `clips_per_source`, in proportion to the blocks' lengths, and of each block at least one. Each
    start is drawn from one of equal parts of its block.
    """
    random = seeded(source, settings)
    total = sum(block.end - block.start for block in blocks)
    windows = max(settings.clips_per_source, round(_COVERED * total / settings.seconds))
    splits: dict[Fraction, str] = {}
    for block in blocks:
        first, choices = _choices(block.start, block.end, settings)
        if settings.stride_seconds > 0:
            splits |= dict.fromkeys(_sliding(first, choices, settings), block.split)
            continue
        count = min(_most(choices, settings), max(1, round(windows * (block.end - block.start) / total)))
        edges = np.linspace(0, choices, count + 1).astype(int)
        frames = [first + int(random.integers(low, high)) for low, high in pairwise(edges)]
        splits |= dict.fromkeys([frame / settings.rate for frame in frames], block.split)
    return splits


def _most(choices: int, settings: ClipSettings) -> int:
    """How many windows differ enough, where so many starts are possible: a quarter of a clip apart on average."""
    return 1 + 4 * (choices - 1) // settings.frames if choices else 0


def has_room(start: Fraction, end: Fraction, settings: ClipSettings) -> bool:
    """Whether a window fits within [start, end] seconds."""
    return _choices(start, end, settings)[1] > 0


def _choices(start: Fraction, end: Fraction, settings: ClipSettings) -> tuple[int, int]:
    """The first frame at which a window can start, and at how many it can."""
    first = int(-(-start * settings.rate // 1))  # rounded up to a whole frame
    last = int(end * settings.rate // 1) - settings.frames
    return first, max(0, last - first + 1)


def _sliding(first: int, choices: int, settings: ClipSettings) -> list[Fraction]:
    stride = max(1, round(Fraction(str(settings.stride_seconds)) * settings.rate))
    return [frame / settings.rate for frame in range(first, first + choices, stride)]
