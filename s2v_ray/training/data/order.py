"""The order of training: one endless seeded sequence of clips, cut into global batches, sliced over the workers.

All of it is a function of (seed, step), so that a run resumes exactly and on any number of workers.

With weights, each data set has an endless order of its own, and a seeded sequence says which one each draw is from.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, partial
from itertools import accumulate, pairwise

import numpy as np

from s2v_ray.errors import UserError


@dataclass(frozen=True)
class Draw:
    """One clip of one step: `clip` is its index in the data set, `index` its own in the global batch."""

    clip: int
    step: int
    index: int


@dataclass(frozen=True)
class Part:
    """Clips with an endless order of their own: `count` from `first` on, to which `share` of all draws goes."""

    first: int
    count: int
    share: Fraction


# Draws are dealt out to the parts in blocks, in each of which a part has its share to within one.
_BLOCK = 4096
_LEAST_SHARE = Fraction(1, 1000)  # so that a block has some of each


def weighted_parts(counts: Sequence[int], weights: Sequence[float]) -> tuple[Part, ...]:
    """A part for each data set of so many clips, with shares as the weights; without weights, all clips are one part.

    Raises UserError unless each data set has a weight above a thousandth of all, and clips.
    """
    if not weights:
        return (Part(0, sum(counts), Fraction(1)),)
    given = "--clip-weights " + " ".join(f"{weight:g}" for weight in weights)
    if len(weights) != len(counts):
        rule = f"has {len(weights)} weights for {len(counts)} data sets in --clips; give one for each"
        raise UserError("wrong_weights", f"{given} {rule}.")
    if not all(map(math.isfinite, weights)):
        raise UserError("wrong_weights", f"{given}: each must be a finite number.")
    exact = [Fraction(weight) for weight in weights]
    if min(exact) <= 0 or min(exact) < _LEAST_SHARE * sum(exact):
        raise UserError("wrong_weights", f"{given}: each must be at least a thousandth of their sum; leave others out.")
    if not all(counts):
        rule = f"the {list(counts).index(0) + 1}. of --clips has no clips to train on; leave it out, with its weight"
        raise UserError("no_clips", f"{given}: {rule}.")
    firsts = [0, *accumulate(counts)]
    total = sum(exact)
    return tuple(Part(*part) for part in zip(firsts, counts, [each / total for each in exact], strict=False))


def global_batch(step: int, *, clip_count: int, batch_size: int, seed: int, parts: tuple[Part, ...] = ()) -> list[Draw]:
    """The clips of a step: every epoch is a permutation of all clips, and epochs follow each other without a gap.

    With several `parts` of the clips, that is so in each, and draws come from them in proportion to their shares.
    """
    draws = []
    for index in range(batch_size):
        number, draw = 0, step * batch_size + index
        count = clip_count
        if len(parts) > 1:
            number, draw = _draw_in_part(draw, parts, seed)
            count = parts[number].count
        epoch, offset = divmod(draw, count)
        clip = int(_permutations_of(number)(epoch, count, seed)[offset])
        draws.append(Draw(clip + (parts[number].first if parts else 0), step, index))
    return draws


def _draw_in_part(draw: int, parts: tuple[Part, ...], seed: int) -> tuple[int, int]:
    """Which part a draw is from, and how many draws from that part come before it."""
    block, offset = divmod(draw, _BLOCK)
    numbers, before = _dealt(block, parts, seed)
    return int(numbers[offset]), int(before[offset])


@lru_cache(maxsize=2)
def _dealt(block: int, parts: tuple[Part, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each draw of a block, its part, and how many draws of that part come before it: int64 [_BLOCK] each."""
    starts, ends = (_dealt_before(block + later, parts) for later in (0, 1))
    numbers = np.repeat(np.arange(len(parts)), np.subtract(ends, starts))
    np.random.default_rng([seed, block]).shuffle(numbers)
    before = np.empty(_BLOCK, np.int64)
    for number, start in enumerate(starts):
        mine = np.flatnonzero(numbers == number)
        before[mine] = start + np.arange(len(mine))
    return numbers, before


def _dealt_before(block: int, parts: tuple[Part, ...]) -> list[int]:
    """How many draws each part has before a block: its share of them, rounded so that the sum is exact."""
    bounds = [0, *(int(block * _BLOCK * share) for share in accumulate(part.share for part in parts))]
    return [end - start for start, end in pairwise(bounds)]


def too_many_workers(workers: str, batch_size: int) -> UserError:
    """The error for more workers than clips in a batch."""
    problem = f"--workers is {workers}, but --training.batch-size is only {batch_size}"
    return UserError("too_many_workers", f"{problem}; use fewer workers or larger batches.")


def rank_slice(batch: list[Draw], *, rank: int, world_size: int) -> list[Draw]:
    """This worker's part: slices differ in length by at most one. Raises UserError if a worker would have none."""
    if world_size > len(batch):
        raise too_many_workers(str(world_size), len(batch))
    return batch[len(batch) * rank // world_size : len(batch) * (rank + 1) // world_size]


@cache
def _permutations_of(part: int) -> Callable[[int, int, int], np.ndarray]:
    """`_permutation` for a part, which remembers the last two: a batch may begin in one epoch and end in the next."""
    return lru_cache(maxsize=2)(partial(_permutation, part))


def _permutation(part: int, epoch: int, clip_count: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, *([part] if part else [])]).permutation(clip_count)
