"""Which units (sources, or groups of them that belong together) are for training, validation and test."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

SPLITS = ("train", "val", "test")
BY_SOURCE, BY_TIME, AUTO = "source", "time", "auto"
_FILLED_FIRST = ("test", "val", "train")  # among those that lack equally much


def wanted_counts(units: int) -> dict[str, int]:
    """How many of so many units each split should have: 80/10/10, with no split empty from three units on.

    With two units, `val` is empty; with one, `test` is, too.
    """
    held_out = max(1, round(units / 10)) if units >= 2 else 0
    validated = held_out if units >= 3 else 0
    return {"train": units - held_out - validated, "val": validated, "test": held_out}


def assign_splits(units: Iterable[str], existing: Mapping[str, int]) -> dict[str, str]:
    """The splits of new units, beside `existing` ones whose number is given by split and which stay where they are.

    In the order of their hash, each goes to the split that lacks the largest part of its `wanted_counts`.
    """
    ordered = sorted(set(units), key=name_hash)
    return dict(zip(ordered, next_splits(len(ordered), existing), strict=True))


def next_splits(units: int, existing: Mapping[str, int]) -> Iterator[str]:
    """The splits of so many new units, in the order of their hash: see `assign_splits`."""
    counts = Counter(existing)
    wanted = wanted_counts(counts.total() + units)
    for _ in range(units):
        split = max(_FILLED_FIRST, key=lambda split: (wanted[split] - counts[split]) / max(1, wanted[split]))
        counts[split] += 1
        yield split


def name_hash(name: str) -> str:
    """A hash by which units are ordered, the same everywhere, and no matter in which order they are found."""
    return name_digest(name).hex()


def name_digest(name: str) -> bytes:
    """The same hash in 32 bytes, whose order is the same."""
    return hashlib.sha256(name.encode()).digest()
