"""Splits that are decided over columns are those that a walk over the sources, one after the other, decides."""

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from s2v_ray.dataset.index import NOTHING, DatasetInfo
from s2v_ray.dataset.records import SourceRecord
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.preparation.plan import PlannedTasks
from s2v_ray.preparation.sources.packed import pack_sources
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.split_plan import plan_splits
from s2v_ray.storage.members import Cell, Span

LEAST_SECONDS, GAP_SECONDS = 8.0, 1.0
INFO = DatasetInfo(True, "sea", clip_settings(), "source", "", {}, NOTHING, {}, {})


def hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def some_sources(seed: int) -> list[Source]:
    """Whole files, parts of files, cuts of one video, and speakers; some come with a split."""
    rng = random.Random(seed)
    sources = {}
    for _ in range(rng.choice((1, 3, 8, 40))):
        file = f"{rng.choice('abcdefghijklmnop')}{rng.randrange(4)}.mp4"
        kind = rng.choice(("file", "file", "part", "cut", "speaker"))
        start = Fraction(rng.randrange(0, 60), 2) if kind == "part" else None
        end = start + rng.randrange(3, 20) if start is not None and rng.random() < 0.8 else None
        name = f"{file}@{start}-{end}" if kind == "part" else f"{kind}/{file}"
        sources[name] = Source(
            f"/v/{file}" if kind == "part" else f"/v/{name}",
            name,
            start,
            end,
            group={"part": file, "cut": f"video {file[0]}", "speaker": f"s{len(name) % 3}"}.get(kind, name),
            file_of_speaker=name if kind == "speaker" else "",
            split=rng.choice(("", "", "", "train", "test")),
        )
    return [sources[name] for name in sorted(sources)]


def some_records(sources: list[Source], rng: random.Random) -> dict[str, SourceRecord]:
    """What became of a part of the sources, and of some that are no longer there, split by source."""
    records = {}
    unit_splits: dict[str, str] = {}
    others = [Source(f"/v/gone{number}.mp4", f"gone{number}.mp4", group=f"gone{number}.mp4") for number in range(3)]
    for source in [*sources, *others]:
        if rng.random() < 0.5:
            split = source.split or unit_splits.setdefault(source.group, rng.choice(("train", "train", "val", "test")))
            clips = rng.choice((0, 4))
            records[source.name] = SourceRecord(
                source.name, source.path, (1, 2), split if clips else "", bool(source.split), clips, (),
                group=source.group, unit=rng.choice((source.group, source.group, None)),
            )  # fmt: skip
    return records


def is_apart(source: Source, sources: list[Source]) -> bool:
    for other in sources:
        if other is source or other.recording != source.recording:
            continue
        (start, end), (other_start, other_end) = source.interval, other.interval
        if other.path != source.path or not (end + GAP_SECONDS <= other_start or other_end + GAP_SECONDS <= start):
            return False
    return True


def assigned_splits(units: set[str], counts: Counter[str]) -> Iterator[tuple[str, str]]:
    total = counts.total() + len(units)
    held_out = max(1, round(total / 10)) if total >= 2 else 0
    validated = held_out if total >= 3 else 0
    wanted = {"test": held_out, "val": validated, "train": total - held_out - validated}
    for unit in sorted(units, key=hashed):
        lacking = {split: (wanted[split] - counts[split]) / max(1, wanted[split]) for split in wanted}
        split = next(split for split in wanted if lacking[split] == max(lacking.values()))
        counts[split] += 1
        yield unit, split


def naive(
    sources: list[Source],
    lengths: dict[str, float],
    by: str,
    records: Mapping[str, SourceRecord],
    stored: Mapping[str, str],
    before: Mapping[str, str],
) -> tuple[dict[str, str], dict[str, str], set[str], dict[str, str]]:
    """The unit and the split of each source, those in blocks, and the units that are new; of records by source only."""
    apart = {source.name for source in sources if by == "time" and is_apart(source, sources)}
    units = {s.name: s.group if by == "source" else s.name if s.name in apart else s.recording for s in sources}
    known: dict[str, str] = {}
    pairs = set()
    for name, record in records.items():
        unit = record.unit or units.get(name, name)
        if record.split:
            pairs.add((unit, record.split))
        if record.split and not record.split_is_given and unit not in known:
            known[unit] = record.split
    counts = Counter(split for _, split in pairs)
    for name, split in stored.items():
        if name not in records and units[name] not in known:
            known[units[name]] = split
            counts[split] += 1
    known = {**before, **known}
    free = [s for s in sources if not s.split and not (s.name in records and records[s.name].split)]
    in_blocks = {s.name for s in free if s.name in apart and lengths.get(s.name, 0) >= LEAST_SECONDS}
    whole = [source.name for source in free if source.name not in in_blocks or lengths[source.name] == math.inf]
    new: dict[str, str] = {}
    for names in ([name for name in whole if name in lengths], whole):
        new |= dict(assigned_splits({units[name] for name in names} - known.keys() - new.keys(), counts))
    splits = {}
    for source in sources:
        record_split = records[source.name].split if source.name in records else ""
        unit_split = {**new, **known}.get(units[source.name], "train")
        splits[source.name] = record_split or source.split or unit_split
    return units, splits, in_blocks, new


@pytest.mark.parametrize("by", ["source", "time"])
def test_columns_decide_what_a_walk_over_the_sources_decides(by: str) -> None:
    seen = Counter[str]()
    for seed in range(150):
        rng = random.Random(seed)
        sources = some_sources(seed)
        lengths = {s.name: rng.choice((3.0, 8.0, 50.0, math.inf)) for s in sources if rng.random() < 0.8}
        records = some_records(sources, rng) if by == "source" and seed % 2 else {}
        existing = replace(INFO, complete=seed % 3 > 0, planned_splits={"c1.mp4": "val"}) if records else None
        stored = {s.name: "test" for s in sources if rng.random() < 0.1} if records else {}
        options: dict[str, Any] = {"existing": existing, "records": records, "stored": stored, "assigned": {}}
        decided = plan_splits(sources, lengths, split_by=by, least_seconds=LEAST_SECONDS, **options)
        before = existing.planned_splits if existing else {}
        units, splits, in_blocks, new = naive(sources, lengths, by, records, stored, before)
        assert (decided.units, decided.splits, decided.in_blocks) == (units, splits, in_blocks), seed
        assert decided.planned == ({**before, **new} if existing and not existing.complete else new), seed
        seen.update(splits=len(set(splits.values())) == 3, blocks=bool(in_blocks), new=bool(new), stored=bool(stored))
    assert seen["splits"] > 30
    assert seen["new"] > 30
    assert seen["blocks" if by == "time" else "stored"] > 30


def test_lengths_that_are_not_known_are_those_of_the_others() -> None:
    sources = some_sources(5)
    without_clips = {source.name: 0.0 for source in sources[::3]}
    options: dict[str, Any] = {"split_by": "time", "least_seconds": 8, "records": {}, "stored": {}, "assigned": {}}
    by_default = plan_splits(sources, without_clips, other_seconds=math.inf, **options)
    named = plan_splits(sources, {s.name: math.inf for s in sources if s.name not in without_clips}, **options)
    assert (by_default.splits, by_default.in_blocks) == (named.splits, named.in_blocks)


def test_packed_sources_are_those_that_were_given() -> None:
    sources = [
        *some_sources(7),
        Source("/v/\udcff/a.mp4", "a.mp4", Fraction(1, 3), None, ("sea", "ø"), "val", "g", "f", "left", "off"),
        Source("/v/t#1", "t/1", member=Cell("/v/t.parquet", "1", "video.bytes", 0, 7)),
        Source("/v/t#2", "t/2", member=Span("/v/t.tar", "2.mp4", 512, 1024)),
    ]
    sources *= 2500 // len(sources)
    packed = pack_sources(iter(sources))
    assert (len(packed), list(packed), packed[5:2000:7]) == (len(sources), sources, sources[5:2000:7])
    assert (packed[0], packed[-1], packed[1100]) == (sources[0], sources[-1], sources[1100])
    assert list(packed.names()) == [source.name for source in sources]
    splits = plan_splits(packed[:10], {}, split_by="source", least_seconds=8, records={}, stored={}, assigned={})
    tasks = PlannedTasks(packed[:10], splits.decided, "sea", "/out", clip_settings(), "source")
    assert [task.source for task in tasks[2:5]] == sources[2:5]
    assert (tasks[-1].source, tasks[-1].unit) == (sources[9], sources[9].group)
