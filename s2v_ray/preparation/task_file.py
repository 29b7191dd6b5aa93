"""Sources to prepare as rows of a Parquet file: whoever works on some of them reads these, and nobody holds all."""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, overload

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import UserError
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.scene import Scene
from s2v_ray.preparation.sources.source import Source
from s2v_ray.storage.files import open_file, store_errors, writing
from s2v_ray.storage.members import Cell, Member, Span
from s2v_ray.storage.paths import Location, join

_GROUP_ROWS = 1000  # of a row group: what is read to get at one row
_FACTS = b"s2v_plan"  # the key in the schema's metadata
_SCHEMA = pa.schema(
    {
        "path": pa.binary(),  # it may not be UTF-8
        "name": pa.string(),
        "start_seconds": pa.string(),  # a fraction, or null
        "end_seconds": pa.string(),
        "labels": pa.list_(pa.string()),
        "given_split": pa.string(),
        "group": pa.string(),
        "file_of_speaker": pa.string(),
        "crop": pa.string(),
        "stabilize": pa.string(),
        "member": pa.string(),  # JSON, or null
        "split": pa.string(),
        "in_blocks": pa.bool_(),
        "unit": pa.string(),
        "is_new": pa.bool_(),  # whether its unit has got its split now
    }
)


@dataclass(frozen=True)
class TaskFile(Sequence[SourceTask]):
    """Some rows of the file `location` as tasks; a slice of it is another such value. `out` is a data set.

    Raises UserError `damaged_plan` where the file can't be read as such rows.
    """

    location: str
    rows: range
    domain: str
    out: str
    settings: ClipSettings
    split_by: str
    scenes: tuple[Scene, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> SourceTask: ...
    @overload
    def __getitem__(self, index: slice) -> "TaskFile": ...
    def __getitem__(self, index: int | slice) -> "SourceTask | TaskFile":
        if isinstance(index, slice):
            return replace(self, rows=self.rows[index])
        group, row = divmod(self.rows[index], _GROUP_ROWS)
        return self._task(_read_group(self.location, group).slice(row, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[SourceTask]:
        position = 0
        while position < len(self.rows):
            group, first = divmod(self.rows[position], _GROUP_ROWS)
            rows = _read_group(self.location, group).slice(first, len(self.rows) - position)
            yield from map(self._task, rows.to_pylist())
            position += rows.num_rows

    def _task(self, row: Mapping[str, Any]) -> SourceTask:
        start, end = (None if row[name] is None else Fraction(row[name]) for name in ("start_seconds", "end_seconds"))
        source = Source(
            os.fsdecode(row["path"]),
            row["name"],
            start,
            end,
            labels=tuple(row["labels"]),
            split=row["given_split"],
            group=row["group"],
            file_of_speaker=row["file_of_speaker"],
            crop=row["crop"],
            stabilize=row["stabilize"],
            member=_member(row["member"]),
        )
        return SourceTask(
            source, row["split"], self.domain, self.out, self.settings,
            split_by=self.split_by, in_blocks=row["in_blocks"], unit=row["unit"], scenes=self.scenes,
        )  # fmt: skip


def write_tasks(
    folder: Location, tasks: Sequence[SourceTask], new_units: Collection[str], facts: Mapping[str, Any]
) -> str:
    """Write tasks, in their order, and `facts` about them, which JSON can hold; returns the file's location.

    It is named by a hash of all this. `new_units` are the units whose splits have been decided now.
    """
    described = json.dumps(facts, sort_keys=True).encode()
    digest = hashlib.sha256(described)
    for task in tasks:
        digest.update(f"{task.source!r} {task.split} {task.in_blocks} {task.unit}\n".encode(errors="surrogateescape"))
    location = join(folder, f"{digest.hexdigest()[:16]}.parquet")
    schema = _SCHEMA.with_metadata({_FACTS: described})
    with writing(location) as file, pq.ParquetWriter(file, schema, write_statistics=False) as writer:
        for first in range(0, len(tasks), _GROUP_ROWS):
            rows = [_row(task, new_units) for task in tasks[first : first + _GROUP_ROWS]]
            writer.write_table(pa.Table.from_pylist(rows, schema), row_group_size=_GROUP_ROWS)
    return location


def read_facts(location: Location) -> tuple[dict[str, Any], int]:
    """The facts in a file that `write_tasks` made, and how many tasks it has."""
    metadata = _open(str(location)).schema_arrow.metadata or {}
    try:
        facts: dict[str, Any] = json.loads(metadata.get(_FACTS, b"{}"))
    except ValueError as error:
        raise _damaged(str(location), error) from None
    return facts, _open(str(location)).metadata.num_rows


def new_units(location: Location) -> set[str]:
    """The units whose splits were decided when the file was written."""
    table = _open(str(location)).read(["unit", "is_new"])
    return set(table.filter(table["is_new"])["unit"].to_pylist())


def _member(text: str | None) -> Member | None:
    if text is None:
        return None
    values = json.loads(text)
    return Cell(**values) if "column" in values else Span(**values)


def _row(task: SourceTask, new_units: Collection[str]) -> dict[str, Any]:
    source = dict(vars(task.source))
    for name in ("start_seconds", "end_seconds"):
        source[name] = None if source[name] is None else str(source[name])
    source["member"] = task.source.member and json.dumps(asdict(task.source.member))
    decided = {"split": task.split, "in_blocks": task.in_blocks, "unit": task.unit, "is_new": task.unit in new_units}
    return {**source, "path": os.fsencode(source["path"]), "given_split": source["split"], **decided}


@lru_cache(maxsize=4)
def _read_group(location: str, group: int) -> pa.Table:
    return _open(location).read_row_group(group, use_threads=False)


@lru_cache(maxsize=4)
def _open(location: str) -> pq.ParquetFile:
    try:
        with store_errors(location):
            file = pq.ParquetFile(open_file(location))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(location, error) from None
    if not file.schema_arrow.equals(_SCHEMA):
        raise _damaged(location, "other columns")
    return file


def _damaged(location: str, error: object) -> UserError:
    rule = f"is no plan of s2v prepare ({error}); remove it and prepare again"
    return UserError("damaged_plan", f"'{location}' {rule}.")
