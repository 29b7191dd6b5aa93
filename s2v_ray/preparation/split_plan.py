"""Which split each source is in, or whether blocks of its time are in all of them."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.records import SourceRecord
from s2v_ray.dataset.splits import AUTO, BY_SOURCE, BY_TIME, assign_splits
from s2v_ray.errors import UserError
from s2v_ray.preparation.blocks import GAP_SECONDS
from s2v_ray.preparation.recorded_moments import recorded_units
from s2v_ray.preparation.sources.source import Source

FEW = 5  # videos (or speakers): with fewer, the split by source would hold out hardly anything


@dataclass(frozen=True)
class SplitPlan:
    """What is decided of the sources of a data set, by their names."""

    split_by: str  # BY_SOURCE or BY_TIME
    is_auto: bool  # whether `split_by` was decided here
    units: Mapping[str, str]  # of each source: what is in one split together
    splits: Mapping[str, str]  # of each source, as long as it is in one split as a whole
    in_blocks: Collection[str]  # sources whose time is cut into blocks; where a length is not known, if it is enough
    planned: Mapping[str, str]  # the splits of units that this run or the unfinished one before it has assigned


def plan_splits(
    sources: Sequence[Source],
    lengths: Mapping[str, float],
    *,
    split_by: str,
    least_seconds: float,
    existing: DatasetInfo | None = None,
    records: Mapping[str, SourceRecord],
    stored: Mapping[str, str],
    assigned: Mapping[str, str],
) -> SplitPlan:
    """Give each source a split; what has one keeps it.

    By source, a unit is a group of sources. By time, it is a source; those that may show the same moments are one unit,
    also with recorded ones.

    Args:
        sources: all sources.
        lengths: the seconds of those that may give clips, infinite where not known, by name. Units without any are
            assigned after the others.
        least_seconds: how long a source must be to be cut into blocks.
        split_by: "source", "time", or "auto", which is by time below five groups.
        existing: the data set to add to, whose way of splitting is kept.
        records: of the sources that it has.
        stored: the splits in which sources have clips, by name, whether recorded or not.
        assigned: the splits of units that are known otherwise.

    Raises UserError `wrong_settings` if the data set is split otherwise, `wrong_split_by` for another word, and
    `two_splits` as `recorded_units` does.
    """
    by = _resolved(split_by, existing, {source.group for source in sources if source.name in lengths})
    apart = _apart(sources)
    units = {s.name: s.group if by == BY_SOURCE else s.name if s.name in apart else s.recording for s in sources}
    imposed = recorded_units(sources, units, records) if by == BY_TIME else {}
    units |= {name: unit for name, (unit, _) in imposed.items()}
    known, counts = _recorded(records, units)
    for name, split in stored.items():
        if name in units and name not in records and units[name] not in known:
            known[units[name]] = split
            counts[split] += 1
    before = existing.planned_splits if existing else {}
    known = {**before, **assigned, **known}
    recorded = {name: record.split for name, record in records.items() if record.split}
    recorded |= {name: split for name, (_, split) in imposed.items()}
    free = [source for source in sources if not source.split and source.name not in recorded]
    long = {name for name, seconds in lengths.items() if seconds >= least_seconds}
    in_blocks = {source.name for source in free if by == BY_TIME and source.name in apart & long}
    cut = {name for name in in_blocks if lengths[name] < math.inf or (name in records and records[name].clips_by_split)}
    whole = [source.name for source in free if source.name not in cut]
    likely = {units[name] for name in whole if name in lengths} - known.keys()
    new = assign_splits(likely, counts)
    counts.update(new.values())
    new |= assign_splits({units[name] for name in whole} - likely - known.keys(), counts)
    assignments = {**dict.fromkeys(units.values(), "train"), **new, **known}
    splits = {s.name: recorded.get(s.name) or s.split or assignments[units[s.name]] for s in sources}
    planned = {**(before if existing and not existing.complete else {}), **new}
    return SplitPlan(by, split_by == AUTO and existing is None, units, splits, in_blocks, planned)


def _resolved(split_by: str, existing: DatasetInfo | None, groups: Collection[str]) -> str:
    if split_by not in (AUTO, BY_SOURCE, BY_TIME):
        raise UserError("wrong_split_by", f"--split-by is '{split_by}', but must be source, time or auto.")
    if existing and split_by not in (AUTO, existing.split_by):
        detail = f"--split-by is '{split_by}', but this data set is split by {existing.split_by}"
        raise UserError("wrong_settings", f"{detail}; leave it out to add to it, or give another --out.")
    if existing:
        return existing.split_by
    if split_by == AUTO:
        return BY_TIME if len(groups) < FEW else BY_SOURCE
    return split_by


def _apart(sources: Sequence[Source]) -> set[str]:
    """The names of those of which no other source shows moments, nor ones that are less than the gap away."""
    by_recording: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        by_recording[source.recording].append(source)
    apart = set()
    for parts in by_recording.values():
        if len({part.path for part in parts}) > 1:
            continue  # when its files were cut from it is not known
        parts.sort(key=lambda part: part.interval)
        starts = [part.interval[0] for part in parts[1:]] + [math.inf]
        earlier_end = -math.inf
        for part, next_start in zip(parts, starts, strict=True):
            start, end = part.interval
            if earlier_end + GAP_SECONDS <= start and (next_start == math.inf or end + GAP_SECONDS <= next_start):
                apart.add(part.name)
            earlier_end = max(earlier_end, end)
    return apart


def _recorded(records: Mapping[str, SourceRecord], units: Mapping[str, str]) -> tuple[dict[str, str], Counter[str]]:
    """The split of each recorded unit that is in one, and how many units there are in each split, with those given."""
    known: dict[str, str] = {}
    pairs = set()
    for name, record in records.items():
        if record.split:
            unit = record.unit or units.get(name, name)
            pairs.add((unit, record.split))
            if not record.split_is_given:
                known.setdefault(unit, record.split)
    return known, Counter(split for _, split in pairs)
