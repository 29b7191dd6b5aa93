"""Which sources are for training, validation and test. All clips of a source are in one split."""

import hashlib
from collections.abc import Iterable

SPLITS = ("train", "val", "test")
FEW_SOURCES = 20  # with fewer, chance could leave a split empty


def split_by_hash(source: str) -> str:
    """80/10/10 by a hash of the name, so that adding sources moves none of the others."""
    percent = int(_hash(source)[:8], 16) % 100
    return "train" if percent < 80 else "val" if percent < 90 else "test"


def splits_by_rank(sources: Iterable[str]) -> dict[str, str]:
    """For a few sources: their rank by that hash decides, so that from three sources on no split is empty.

    With two sources, `val` is empty; with one, `test` is, too.
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
