"""Which split each source is in, or whether blocks of its time are in all of them."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.records import SourceRecord
from s2v_ray.dataset.splits import AUTO, BY_SOURCE, BY_TIME, SPLITS, name_digest, next_splits
from s2v_ray.errors import UserError
from s2v_ray.preparation.blocks import GAP_SECONDS
from s2v_ray.preparation.recorded_moments import recorded_units
from s2v_ray.preparation.sources.packed import PackedSources, pack_sources
from s2v_ray.preparation.sources.source import Source

FEW = 5  # videos (or speakers): with fewer, the split by source would hold out hardly anything
_AT_ONCE = 10_000  # values of a column that are values of Python at a time
_NUMBER = {"": -1, **{split: number for number, split in enumerate(SPLITS)}}


@dataclass(frozen=True)
class SplitPlan:
    """What is decided of the sources of a data set."""

    split_by: str  # BY_SOURCE or BY_TIME
    is_auto: bool  # whether `split_by` was decided here
    sources: PackedSources
    decided: pa.Table  # of each source, in their order: DECIDED
    assigned: pa.Table  # each `unit` that this run has assigned, and its `split`
    assigned_before: Mapping[str, str]  # those that the unfinished run before it has

    @property
    def units(self) -> dict[str, str]:
        """Of each source, by name: what is in one split together."""
        return self._by_name("unit")

    @property
    def splits(self) -> dict[str, str]:
        """The split of each source, by name, as long as it is in one as a whole."""
        return self._by_name("split")

    @property
    def in_blocks(self) -> set[str]:
        """Sources whose time is cut into blocks; where a length is not known, if it is enough."""
        return {name for name, is_cut in self._by_name("in_blocks").items() if is_cut}

    @property
    def planned(self) -> dict[str, str]:
        """The splits of units that this run or the unfinished one before it has assigned."""
        new = zip(self.assigned["unit"].to_pylist(), self.assigned["split"].to_pylist(), strict=True)
        return {**self.assigned_before, **dict(new)}

    def _by_name(self, column: str) -> dict[str, Any]:
        names = self.sources.columns("name")["name"].to_pylist()
        return dict(zip(names, self.decided[column].to_pylist(), strict=True))


def plan_splits(
    sources: Iterable[Source],
    lengths: Mapping[str, float],
    *,
    split_by: str,
    least_seconds: float,
    existing: DatasetInfo | None = None,
    records: Mapping[str, SourceRecord],
    stored: Mapping[str, str],
    assigned: Mapping[str, str],
    other_seconds: float = 0.0,
) -> SplitPlan:
    """Give each source a split; what has one keeps it.

    By source, a unit is a group of sources. By time, it is a source; those that may show the same moments are one unit,
    also with recorded ones. There may be millions: what is decided of each is a number in a column.

    Args:
        sources: all sources.
        lengths: the seconds of sources, infinite where not known and 0 where they give no clips, by name. Units without
            any that may give clips are assigned after the others.
        other_seconds: the same of those that `lengths` don't name.
        least_seconds: how long a source must be to be cut into blocks.
        split_by: "source", "time", or "auto", which is by time below five groups.
        existing: the data set to add to, whose way of splitting is kept.
        records: of the sources that it has.
        stored: the splits in which sources have clips, by name, whether recorded or not.
        assigned: the splits of units that are known otherwise.

    Raises UserError `wrong_settings` if the data set is split otherwise, `wrong_split_by` for another word, and
    `two_splits` as `recorded_units` does.
    """
    sources = pack_sources(sources)
    seconds = _each(sources.names(), len(sources), lambda name: lengths.get(name, other_seconds), np.float64)
    usable = seconds > 0
    by = _resolved(split_by, existing, sources, usable)
    apart = _apart(sources) if by == BY_TIME else np.zeros(len(sources), bool)
    units = _units_by_time(sources, apart) if by == BY_TIME else _groups(sources)
    imposed: Mapping[str, tuple[str, str]] = {}
    if by == BY_TIME and any(record.clips for record in records.values()):
        imposed = recorded_units(sources, dict(zip(sources.names(), _values(units), strict=True)), records)
        pairs = zip(sources.names(), _values(units), strict=True)
        units = pa.chunked_array([[imposed[name][0] if name in imposed else unit for name, unit in pairs]])
    kept = dict(zip(sources.names(), _values(units), strict=True)) if records or stored else {}
    known, counts = _recorded(records, stored, kept)
    unit_of, unit_names = _encoded(units)
    del units, kept  # as large as all the rest
    before = existing.planned_splits if existing else {}
    known = {**before, **assigned, **known}
    recorded = {name: record.split for name, record in records.items() if record.split}
    recorded |= {name: split for name, (_, split) in imposed.items()}
    given = zip(sources.names(), _values(sources.columns("given_split")["given_split"]), strict=True)
    own_split = np.fromiter((_NUMBER[recorded.get(name) or split] for name, split in given), np.int8, len(sources))
    is_free = own_split == _NUMBER[""]
    in_blocks = is_free & apart & (seconds >= least_seconds)
    was_cut = {name for name, record in records.items() if record.clips_by_split}
    whole = is_free & ~(
        in_blocks & ((seconds < math.inf) | _each(sources.names(), len(sources), was_cut.__contains__, bool))
    )

    unit_split, newly = _assigned(unit_names, [unit_of[whole & usable], unit_of[whole]], known, counts)
    unfinished = before if existing and not existing.complete else {}
    is_new = _each(_values(unit_names), len(unit_names), unfinished.__contains__, bool)
    is_new[newly] = True
    decided = {
        "unit": pa.DictionaryArray.from_arrays(unit_of, unit_names),
        "split": _splits(np.where(is_free, unit_split[unit_of], own_split)),
        "in_blocks": pa.array(in_blocks),
        "is_new": pa.array(is_new[unit_of]),
    }
    new_units = {"unit": pa.DictionaryArray.from_arrays(newly, unit_names), "split": _splits(unit_split[newly])}
    is_auto = split_by == AUTO and existing is None
    return SplitPlan(by, is_auto, sources, pa.table(decided), pa.table(new_units), unfinished)


def _assigned(
    names: pa.Array, rounds: Sequence[np.ndarray], known: Mapping[str, str], counts: Counter[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The split of each unit, as a number, and the units that have none yet, in the order in which they get theirs.

    `names` are those of all units, `rounds` the units to assign first and next, and `counts` how many units are in each
    split already. What no round names is in train.
    """
    split_of = _each(_values(names), len(names), lambda name: _NUMBER[known.get(name, "train")], np.int8)
    is_settled = _each(_values(names), len(names), known.__contains__, bool)
    counts, new = counts.copy(), [np.empty(0, np.int32)]
    for units in rounds:
        is_open = np.zeros(len(names), bool)
        is_open[units] = True
        ordered = _by_hash(names, np.flatnonzero(is_open & ~is_settled))
        chosen = list(next_splits(len(ordered), counts))
        split_of[ordered] = [_NUMBER[split] for split in chosen]
        is_settled[ordered] = True
        counts.update(chosen)
        new.append(ordered)
    return split_of, np.concatenate(new)


def _groups(sources: PackedSources) -> pa.ChunkedArray:
    return sources.columns("group")["group"]


def _units_by_time(sources: PackedSources, apart: np.ndarray) -> pa.ChunkedArray:
    return pc.if_else(pa.array(apart), sources.columns("name")["name"], _recordings(sources))


def _recordings(sources: PackedSources) -> pa.ChunkedArray:
    """`Source.recording` of each."""
    columns = sources.columns("group", "file_of_speaker")
    return pc.if_else(pc.equal(columns["file_of_speaker"], ""), columns["group"], columns["file_of_speaker"])


def _by_hash(names: pa.Array, rows: np.ndarray) -> np.ndarray:
    """Some rows in the order of their names' hashes, int32."""
    hashes = np.fromiter((name_digest(names[row].as_py()) for row in map(int, rows)), "S32", len(rows))
    return rows[np.argsort(hashes, kind="stable")].astype(np.int32)


def _each(names: Iterable[str], count: int, work: Callable[[str], Any], kind: Any) -> np.ndarray:
    """What `work` says of each name, as an array of a `kind` of numbers."""
    return np.fromiter(map(work, names), kind, count)


def _values(texts: pa.Array | pa.ChunkedArray) -> Iterator[str]:
    """The values of a column, of which some are values of Python at a time."""
    for first in range(0, len(texts), _AT_ONCE):
        yield from texts.slice(first, _AT_ONCE).to_pylist()


def _encoded(texts: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """The number of each text, int32, among the different ones; and these."""
    chunks = texts.dictionary_encode().chunks
    return np.concatenate([chunk.indices.to_numpy() for chunk in chunks]), chunks[-1].dictionary


def _splits(numbers: np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(numbers.astype(np.int8), pa.array(SPLITS))


def _resolved(split_by: str, existing: DatasetInfo | None, sources: PackedSources, usable: np.ndarray) -> str:
    if split_by not in (AUTO, BY_SOURCE, BY_TIME):
        raise UserError("wrong_split_by", f"--split-by is '{split_by}', but must be source, time or auto.")
    if existing and split_by not in (AUTO, existing.split_by):
        detail = f"--split-by is '{split_by}', but this data set is split by {existing.split_by}"
        raise UserError("wrong_settings", f"{detail}; leave it out to add to it, or give another --out.")
    if existing:
        return existing.split_by
    if split_by == AUTO:
        return BY_TIME if pc.count_distinct(_groups(sources).filter(usable)).as_py() < FEW else BY_SOURCE
    return split_by


def _apart(sources: PackedSources) -> np.ndarray:
    """Whether no other source shows moments of a source, nor ones that are less than the gap away: of each, bool."""
    recording_of, found = _encoded(_recordings(sources))
    apart: np.ndarray = np.bincount(recording_of, minlength=len(found))[recording_of] == 1
    several = np.flatnonzero(~apart)
    by_recording: dict[int, list[tuple[int, Source]]] = defaultdict(list)
    for index, source in zip(several, sources.take(several), strict=True):
        by_recording[recording_of[index]].append((int(index), source))
    for parts in by_recording.values():
        if len({part.path for _, part in parts}) > 1:
            continue  # when its files were cut from it is not known
        parts.sort(key=lambda part: part[1].interval)
        starts = [part.interval[0] for _, part in parts[1:]] + [math.inf]
        earlier_end = -math.inf
        for (row, part), next_start in zip(parts, starts, strict=True):
            start, end = part.interval
            if earlier_end + GAP_SECONDS <= start and (next_start == math.inf or end + GAP_SECONDS <= next_start):
                apart[row] = True
            earlier_end = max(earlier_end, end)
    return apart


def _recorded(
    records: Mapping[str, SourceRecord], stored: Mapping[str, str], units: Mapping[str, str]
) -> tuple[dict[str, str], Counter[str]]:
    """The split of each unit that is in one, and how many units there are in each split, with those given."""
    known: dict[str, str] = {}
    pairs = set()
    for name, record in records.items():
        if record.split:
            unit = record.unit or units.get(name, name)
            pairs.add((unit, record.split))
            if not record.split_is_given:
                known.setdefault(unit, record.split)
    counts = Counter(split for _, split in pairs)
    for name, split in stored.items():
        if name in units and name not in records and units[name] not in known:
            known[units[name]] = split
            counts[split] += 1
    return known, counts
