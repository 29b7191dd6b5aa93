"""Sources to prepare as rows of a Parquet file: whoever works on some of them reads these, and nobody holds all."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any, overload

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import UserError
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.scene import Scene
from s2v_ray.preparation.sources.packed import GROUP_ROWS, SOURCE_COLUMNS, source_columns, source_of
from s2v_ray.storage.files import open_file, store_errors, write_bytes
from s2v_ray.storage.paths import Location, join

_FACTS = b"s2v_plan"  # the key in the schema's metadata
_DECIDED = {
    "split": pa.string(),
    "in_blocks": pa.bool_(),
    "unit": pa.string(),
    "is_new": pa.bool_(),
}
_SCHEMA = pa.schema([*SOURCE_COLUMNS, *map(pa.field, _DECIDED.keys(), _DECIDED.values())])


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
        group, row = divmod(self.rows[index], GROUP_ROWS)
        return self._task(_read_group(self.location, group).slice(row, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[SourceTask]:
        position = 0
        while position < len(self.rows):
            group, first = divmod(self.rows[position], GROUP_ROWS)
            rows = _read_group(self.location, group).slice(first, len(self.rows) - position)
            yield from map(self._task, rows.to_pylist())
            position += rows.num_rows

    def _task(self, row: Mapping[str, Any]) -> SourceTask:
        return SourceTask(
            source_of(row), row["split"], self.domain, self.out, self.settings, split_by=self.split_by,
            in_blocks=row["in_blocks"], unit=row["unit"], is_new=row["is_new"], scenes=self.scenes,
        )  # fmt: skip


def write_tasks(folder: Location, tasks: Iterable[SourceTask], facts: Mapping[str, Any]) -> str:
    """Write tasks, in their order, and `facts` about them, which JSON can hold; returns the file's location.

    It is named by a hash of all this.
    """
    described = json.dumps(facts, sort_keys=True).encode()
    digest, pending = hashlib.sha256(described), iter(tasks)
    sink, schema = pa.BufferOutputStream(), _SCHEMA.with_metadata({_FACTS: described})
    with pq.ParquetWriter(sink, schema, write_statistics=False) as writer:
        while some := list(islice(pending, GROUP_ROWS)):
            columns = source_columns([task.source for task in some])
            columns |= {name: [getattr(task, name) for task in some] for name in _DECIDED}
            digest.update(repr(columns).encode())
            writer.write_table(pa.table(columns, schema))
    location = join(folder, f"{digest.hexdigest()[:16]}.parquet")
    write_bytes(location, sink.getvalue())
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
