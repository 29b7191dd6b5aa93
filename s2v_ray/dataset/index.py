"""A folder of prepared clips: its `dataset.json`, the record of each source, and its rejects."""

import contextlib
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any

from s2v_ray.config.load import differing_names
from s2v_ray.dataset.excluded import read_excluded, write_excluded
from s2v_ray.dataset.records import UNSEEN_VIDEOS, Reject, SourceRecord, held_out
from s2v_ray.dataset.schema import READABLE_VERSIONS, SCHEMA_VERSION
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.dataset.splits import BY_SOURCE, SPLITS
from s2v_ray.dataset.typed import typed
from s2v_ray.errors import UserError
from s2v_ray.storage.files import (
    exists,
    is_folder,
    list_files,
    list_folders,
    map_concurrently,
    read_bytes,
    write_bytes,
)
from s2v_ray.storage.lock import lock
from s2v_ray.storage.own_folders import kind_of
from s2v_ray.storage.paths import Location, base_name, is_uri, join

_AT_ONCE = 1000  # records that are read before the first is used
_ALL, _NONE = "all that are used", "all that are not"
_NUMBERS, _NAMES = Mapping[str, int], Mapping[str, str]


@dataclass(frozen=True)
class Counts:
    """How much there is."""

    sources: int
    clips: int
    seconds: float
    frames: int


NOTHING = Counts(0, 0, 0.0, 0)


@dataclass(frozen=True)
class DatasetInfo:
    """What a data set is: its `dataset.json`."""

    complete: bool  # whether all sources are done
    domain: str  # what the videos show
    settings: ClipSettings
    split_by: str  # "source", or "time" where blocks of a source's time may be in different splits
    held_out: str  # in words, what val and test show that is not in train
    planned_splits: Mapping[str, str]  # of units that are not recorded yet, while sources are being prepared
    counts: Counts
    split_counts: Mapping[str, Counts]
    rejected: Mapping[str, int]  # how many sources and windows were left out, by reason
    excluded: Counts = NOTHING  # what a user has excluded, and the other counts leave out
    clip_index: str = ""  # the file in `_index` that lists the clips, if it is complete

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "schema_version": SCHEMA_VERSION,
            "complete": self.complete,
            "domain": self.domain,
            "frame_rate": self.settings.frame_rate,
            "sample_rate": self.settings.sample_rate,
            "settings": asdict(self.settings),
            "split_by": self.split_by,
            "held_out": self.held_out,
            "planned_splits": dict(self.planned_splits),
            "clip_index": self.clip_index,
            "counts": {
                **asdict(self.counts),
                "splits": {split: asdict(counts) for split, counts in self.split_counts.items()},
                "rejected": dict(self.rejected),
                "excluded": asdict(self.excluded),
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "DatasetInfo":
        """As it was written, or as releases up to 0.2 did. Raises KeyError, TypeError or ValueError for others."""
        total = dict(values["counts"])
        excluded = typed(total.pop("excluded", asdict(NOTHING)), Counts)
        splits, rejected = typed(total.pop("splits"), Mapping[str, Counts]), typed(total.pop("rejected"), _NUMBERS)
        planned = typed(values["planned_splits"] if "planned_splits" in values else values["ranked_splits"], _NAMES)
        if not splits.keys() | set(planned.values()) <= set(SPLITS):
            raise ValueError(f"there are no splits but {', '.join(SPLITS)}")
        return cls(
            typed(values["complete"], bool),
            typed(values["domain"], str),
            ClipSettings.from_json(values["settings"]),
            typed(values.get("split_by", BY_SOURCE), str),
            typed(values.get("held_out", UNSEEN_VIDEOS), str),
            planned,
            typed(total, Counts),
            splits,
            rejected,
            excluded,
            _file_name(typed(values.get("clip_index", ""), str)),
        )


def _file_name(name: str) -> str:
    if name and not re.fullmatch(r"[0-9a-f]{16}\.arrow", name):
        raise ValueError(f"the index is called '{name}'")
    return name


def read_dataset(clips: Location) -> DatasetInfo:
    """What a data set is. Raises UserError where there is none, or one that can't be read."""
    path = join(clips, "dataset.json")
    if not exists(path):
        raise UserError("no_clips", _where_clips_are(clips))
    try:
        values = json.loads(read_bytes(path))
        version = values["schema_version"]
        if version in READABLE_VERSIONS:
            return DatasetInfo.from_json(values)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError("damaged_clips", f"'{path}' is damaged ({error!r}); prepare into another folder.") from None
    rule = f"has schema version {version}, but must have {SCHEMA_VERSION}; prepare the clips again."
    raise UserError("wrong_version", f"'{path}' {rule}")


def _where_clips_are(clips: Location) -> str:
    """What to do where a folder holds no clips."""
    names = [*list_files(clips), *list_folders(clips)] if is_folder(clips) else []
    if kind := kind_of(names):
        return f"'{clips}' is {kind} and holds no clips; name what s2v prepare wrote."
    if any(not name.startswith(".") for name in names):
        make = shlex.join(["s2v", "prepare", "--videos", str(clips), "--out", f"clips/{base_name(clips)}"])
        return f"'{clips}' holds no clips; if it holds videos, make clips of them with: {make}"
    make = shlex.join(["s2v", "prepare", "--videos", "FOLDER", "--out", str(clips)])
    return f"There are no clips in '{clips}'; make some of a folder of videos with: {make}"


def read_same_dataset(clips: Location, settings: ClipSettings, domain: str) -> DatasetInfo:
    """The data set to add to. Raises UserError where it has another domain or other settings."""
    existing = read_dataset(clips)
    names = differing_names(asdict(existing.settings), asdict(settings))
    if existing.domain != domain:
        names.append("domain")
    if names:
        detail = f"'{clips}' was prepared with other settings ({', '.join(names)})"
        raise UserError("wrong_settings", f"{detail}; give the same ones to add to it, or another --out.")
    return existing


def read_records(clips: Location) -> dict[str, SourceRecord]:
    """The record of each source that is done, by the source's name. A source whose record is damaged is not done."""
    return {record.source: record for record in each_record(clips)}


def each_record(clips: Location) -> Iterator[SourceRecord]:
    """The same, one at a time: millions of them are gigabytes."""
    folder = join(clips, "_sources")
    names = (name for name in list_files(folder) if name.endswith(".json") and not name.startswith("."))
    while some := [join(folder, name) for name in islice(names, _AT_ONCE)]:
        for content in map_concurrently(read_bytes, some, remote=is_uri(clips)):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                yield SourceRecord.from_json(json.loads(content))


def read_record(clips: Location, key: str) -> SourceRecord | None:
    """The record of the source with this key; None if it has none, or a damaged one."""
    path = join(clips, "_sources", f"{key}.json")
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        return SourceRecord.from_json(json.loads(read_bytes(path))) if exists(path) else None
    return None


def write_record(clips: Location, key: str, record: SourceRecord) -> None:
    """Mark a source as done. Write its clips first: clips of a recorded source are complete."""
    write_bytes(join(clips, "_sources", f"{key}.json"), json.dumps(record.to_json(), indent=1).encode())


def write_dataset(
    clips: Location,
    settings: ClipSettings,
    domain: str,
    *,
    split_by: str,
    planned_splits: Mapping[str, str],
    missing: Iterable[Reject],
    complete: bool,
    clip_index: str = "",
) -> DatasetInfo:
    """Write `rejects.jsonl` and `dataset.json` from the records of the sources; returns the latter.

    Clips of excluded sources are counted by themselves. `missing` are rejects of files that have no record, because
    they could not even be tried; `clip_index` is the name of the file that lists the clips.
    """
    rejects: list[tuple[str, Reject]] = []

    def counted() -> Iterator[SourceRecord]:
        for record in each_record(clips):
            rejects.extend((record.source, reject) for reject in record.rejects)
            yield record

    info = DatasetInfo(complete, domain, settings, split_by, "", planned_splits, NOTHING, {}, {}, clip_index=clip_index)
    info = _counted(clips, info, counted())
    left_out = [reject for _, reject in sorted(rejects, key=itemgetter(0))] + list(missing)
    rejected = dict(sorted(Counter(reject.reason for reject in left_out).items()))
    lines = "".join(json.dumps(asdict(reject), ensure_ascii=False) + "\n" for reject in left_out)
    write_bytes(join(clips, "rejects.jsonl"), lines.encode())
    return _write_info(clips, replace(info, rejected=rejected))


def exclude_source(clips: Location, source: str, *, excluded: bool) -> DatasetInfo:
    """Exclude a source from all that reads clips, or include it again; returns the data set with its new counts.

    Its clips stay. Raises UserError `unknown_source`, and `locked` while another process writes to the data set.
    """
    with lock(clips, clips):
        records = read_records(clips)
        if source not in records:
            raise UserError("unknown_source", f"'{clips}' has no source '{source}'; `_sources` has a file for each.")
        before = read_excluded(clips)
        write_excluded(clips, before | {source} if excluded else before - {source})
        return _write_info(clips, _counted(clips, read_dataset(clips), records.values()))


def _write_info(clips: Location, info: DatasetInfo) -> DatasetInfo:
    write_bytes(join(clips, "dataset.json"), json.dumps(info.to_json(), indent=2).encode())
    return info


def _counted(clips: Location, info: DatasetInfo, records: Iterable[SourceRecord]) -> DatasetInfo:
    """`info` with the counts of these records, and what is held out."""
    excluded = read_excluded(clips)
    sources, numbers = Counter[str](), Counter[str]()  # by split

    def used() -> Iterator[SourceRecord]:
        for record in records:
            is_used = record.source not in excluded
            parts = {**record.split_clips, _ALL: record.clips} if is_used else {_NONE: record.clips}
            for split, number in parts.items():
                sources[split] += number > 0
                numbers[split] += number
            if is_used:
                yield record

    held = held_out(used())
    counts = {
        split: Counts(
            sources[split],
            numbers[split],
            float(numbers[split] * info.settings.seconds),
            numbers[split] * info.settings.frames,
        )
        for split in (*SPLITS, _ALL, _NONE)
    }
    return replace(
        info,
        held_out=held,
        counts=counts[_ALL],
        split_counts={split: counts[split] for split in SPLITS},
        excluded=counts[_NONE],
    )
