"""What is held out at once: whole sources or, where there are too few of them, blocks of their time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2v_ray.errors import UserError

FOLDS = 4
FEW_SOURCES = 5  # with fewer, one odd source would decide
GAP_SECONDS = 1.0  # between training and held-out clips of one source, at least
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Fold:
    """The indices of the clips to train on and of those that are held out."""

    train: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True)
class Units:
    """Names of the units, and the index of each clip's. A unit is a source or, `by_time`, a block of its time."""

    names: tuple[str, ...]
    of_clips: tuple[int, ...]
    by_time: bool


def find_units(sources: Sequence[str], start_seconds: Sequence[float], clip_seconds: float) -> Units:
    """The units of clips whose sources and starts are given: up to FOLDS blocks a source if there are few sources."""
    names = list(dict.fromkeys(sources))
    if len(names) >= FEW_SOURCES:
        index = {name: number for number, name in enumerate(names)}
        return Units(tuple(names), tuple(index[source] for source in sources), by_time=False)
    blocks: list[str] = []
    of_clips = [0] * len(sources)
    for name in names:
        own = sorted((start_seconds[clip], clip) for clip, source in enumerate(sources) if source == name)
        for part in np.array_split(np.arange(len(own)), min(FOLDS, len(own))):
            first, last = own[part[0]][0], own[part[-1]][0] + clip_seconds
            for index in part:
                of_clips[own[index][1]] = len(blocks)
            blocks.append(f"{name}, {first:.1f} to {last:.1f} s")
    return Units(tuple(blocks), tuple(of_clips), by_time=True)


def make_folds(
    units: Units, sources: Sequence[str], start_seconds: Sequence[float], clip_seconds: float, *, seed: int
) -> list[Fold]:
    """FOLDS folds, each with a share of the units held out; which, the seed decides.

    Clips within GAP_SECONDS of a held-out clip of their source are not trained on. Raises UserError `too_few_clips` if
    a fold has nothing to train on.
    """
    count = min(FOLDS, len(units.names))
    order = np.random.default_rng(seed).permutation(len(units.names))
    fold_of_unit = np.empty(len(order), int)
    # Blocks of time keep their order, so that as few clips as possible lie beside held-out ones.
    fold_of_unit[np.arange(len(order)) if units.by_time else order] = np.arange(len(order)) % count
    fold_of_clip = fold_of_unit[list(units.of_clips)]
    folds = []
    for fold in range(count):
        test: list[int] = np.flatnonzero(fold_of_clip == fold).tolist()
        held_out: dict[str, list[float]] = defaultdict(list)
        for clip in test:
            held_out[sources[clip]].append(start_seconds[clip])
        far = clip_seconds + GAP_SECONDS - _ROUNDING
        train = [
            clip
            for clip in np.flatnonzero(fold_of_clip != fold).tolist()
            if all(abs(start_seconds[clip] - start) >= far for start in held_out[sources[clip]])
        ]
        folds.append(Fold(tuple(train), tuple(test)))
    if count < 2 or not all(fold.train for fold in folds):
        raise UserError(
            "too_few_clips",
            f"Clips: {len(sources)}, sources: {len(set(sources))}. But training and held-out clips of a source "
            f"must be {GAP_SECONDS:g} s apart; prepare more videos, or shorter clips (--clip-seconds 1 "
            "--stride-seconds 1).",
        )
    return folds
