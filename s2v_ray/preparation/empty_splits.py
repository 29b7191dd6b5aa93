"""After preparing: no split stays empty if sources turned out to be useless, and others are left over."""

from collections import defaultdict
from collections.abc import Collection

from s2v_ray.dataset.index import each_record, write_record
from s2v_ray.dataset.records import SourceRecord
from s2v_ray.dataset.splits import name_hash, wanted_counts
from s2v_ray.preparation.duplicates import move_clips
from s2v_ray.preparation.sources.source import Source


def empty_splits(out: str) -> list[str]:
    """Those of `test` and `val` that have no clips."""
    filled = {split for record in each_record(out) for split in record.split_clips}
    return [split for split in ("test", "val") if split not in filled]


def fill_empty_splits(out: str, units: Collection[str]) -> dict[str, str]:
    """Move sources from train into `val` and `test` where these have no clips; returns their new splits by name.

    Only sources of these `units`, which this run has prepared, are moved, by the order of their hash, as many as
    `wanted_counts` says; never those whose split is given. Units with copies of each other move together.
    """
    empty = empty_splits(out)
    records = {record.source: record for record in each_record(out) if record.clips}
    together = _together(records)
    movable = [
        names
        for names in sorted(together, key=lambda names: name_hash(min(records[name].unit or name for name in names)))
        if all(_is_movable(records[name], units) for name in names)
    ]
    left = sum(any("train" in records[name].split_clips for name in names) for names in together)
    wanted, moved = wanted_counts(len(together)), {}
    for split in empty:
        for _ in range(wanted[split]):
            if not movable or left < 2:
                break
            left -= 1
            for name in movable.pop(0):
                record = move_clips(out, records[name], split)
                write_record(out, Source(record.path, name).key, record)
                moved[name] = split
    return moved


def _is_movable(record: SourceRecord, units: Collection[str]) -> bool:
    return record.split == "train" and not record.split_is_given and record.unit in units


def _together(records: dict[str, SourceRecord]) -> list[list[str]]:
    """The sources that must be in one split: of one unit, or copies of each other, directly or not."""
    names_of: dict[str, list[str]] = defaultdict(list)  # by unit and by first
    for name, record in records.items():
        names_of[f"unit {record.unit or name}"].append(name)
        names_of[f"first {record.first or name}"].append(name)
    together, seen = [], set[str]()
    for name in records:
        reached, pending = [], [name]
        while pending:
            each = pending.pop()
            if each not in seen:
                seen.add(each)
                reached.append(each)
                record = records[each]
                pending += names_of[f"unit {record.unit or each}"] + names_of[f"first {record.first or each}"]
        if reached:
            together.append(reached)
    return together
