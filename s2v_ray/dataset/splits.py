"""Which sources are trained on, validated on and tested on: a matter of the source alone, never of the clip."""

import hashlib
from collections.abc import Iterable

SPLITS = ("train", "val", "test")
FEW_SOURCES = 20  # below this many, chance could leave a split empty


def split_by_hash(source: str) -> str:
    """80/10/10 by a hash of the name, so that adding sources moves none of the others."""
    percent = int(_hash(source)[:8], 16) % 100
    return "train" if percent < 80 else "val" if percent < 90 else "test"


def splits_by_rank(sources: Iterable[str]) -> dict[str, str]:
    """For a few sources: their rank by that hash decides, so that none of the splits is empty.

    With two sources, `val` is; with one, everything is trained on.
    """
    ranked = sorted(set(sources), key=_hash)
    held_out = max(1, round(len(ranked) / 10)) if len(ranked) >= 2 else 0
    validated = held_out if len(ranked) >= 3 else 0
    return {
        source: "test" if rank < held_out else "val" if rank < held_out + validated else "train"
        for rank, source in enumerate(ranked)
    }


def _hash(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()
