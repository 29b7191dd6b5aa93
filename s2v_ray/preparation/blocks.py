"""Blocks of one source's time, each for training, validation or test."""

import hashlib
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from s2v_ray.dataset.settings import ClipSettings

GAP_SECONDS = 1  # of footage between blocks of different splits that is not used
# The shares of the time that val and test have each, and how many clips long their blocks are at least if there are
# several: shorter ones would spread wider, but lose more to gaps.
_HELD_OUT, _BLOCK_CLIPS = 0.1, 2


@dataclass(frozen=True)
class Block:
    """The time [start, end], in seconds, of one split."""

    split: str
    start: Fraction
    end: Fraction


def least_seconds(settings: ClipSettings) -> Fraction:
    """How long a source must be for blocks: a clip for each split and the gaps between them."""
    return 3 * settings.seconds + 2 * GAP_SECONDS


def time_blocks(source: str, start: Fraction, end: Fraction, settings: ClipSettings) -> list[Block]:
    """[start, end] seconds of the source called `source` as blocks in the order of time; none if that is too short.

    Val and test get a tenth each, at least a clip. Long sources are cut into rounds of one block of each, in a random
    order, with training before, between and after them. In a short one, val and test are at the two ends. Blocks start
    and end at whole frames of the clip's rate, at least a second apart. All depends on the seed and the source alone.
    """
    first, last = -(-start * settings.rate // 1), end * settings.rate // 1
    frames, gap = int(last - first), -(-GAP_SECONDS * settings.rate // 1)
    clip = settings.frames
    if frames < 3 * clip + 2 * gap:
        return []
    random = seeded(source, settings)
    rounds = max(1, int(_HELD_OUT * frames // (_BLOCK_CLIPS * clip)))
    held_out = max(clip, round(_HELD_OUT * frames / rounds))
    order = [("val", "test")[side] for _ in range(rounds) for side in random.permutation(2)]
    training = frames - len(order) * (held_out + 2 * gap)
    if training >= (len(order) + 1) * clip:
        shares = random.uniform(0.5, 1.5, len(order) + 1)
        spare = training - len(shares) * clip
        lengths = [clip + int(spare * share) for share in shares / shares.sum()]
        pieces = [("train", lengths[0])]
        for split, length in zip(order, lengths[1:], strict=True):
            pieces += [(split, held_out), ("train", length)]
    else:
        held_out = min(held_out, (frames - 2 * gap - clip) // 2)
        pieces = [(order[0], held_out), ("train", frames - 2 * gap - 2 * held_out), (order[1], held_out)]
    blocks = []
    for split, length in pieces:
        blocks.append(Block(split, first / settings.rate, (first + length) / settings.rate))
        first += length + gap
    return blocks


def seeded(source: str, settings: ClipSettings) -> np.random.Generator:
    """A generator that depends on the seed and the source's name alone."""
    digest = hashlib.sha256(f"{settings.seed}\n{source}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
