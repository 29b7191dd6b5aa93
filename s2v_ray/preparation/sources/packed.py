"""Sources as rows of Parquet, in memory: some tens of bytes each, and a value of Python only while it is looked at."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from functools import cached_property
from itertools import islice
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.preparation.sources.source import Source
from s2v_ray.storage.members import Cell, Member, Span

GROUP_ROWS = 1000  # of a row group: what is read to get at one row
SOURCE_COLUMNS = pa.schema(
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
    }
)


class PackedSources(Sequence[Source]):
    """Sources in the order in which they are given; a slice of them is another such value."""

    def __init__(self, content: pa.Buffer, rows: np.ndarray) -> None:
        self._content, self._rows = content, rows  # a file of Parquet, and which of its rows these are

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedSources, (self._content, self._rows)

    @cached_property
    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(pa.BufferReader(self._content))

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Source: ...
    @overload
    def __getitem__(self, index: slice) -> "PackedSources": ...
    def __getitem__(self, index: int | slice) -> "Source | PackedSources":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return next(iter(self.take([range(len(self))[index]])))

    def take(self, indices: Sequence[int] | np.ndarray) -> "PackedSources":
        """Some of them."""
        return PackedSources(self._content, self._rows[np.asarray(indices)])

    def __iter__(self) -> Iterator[Source]:
        return (source_of(row) for part in self._parts() for row in part.to_pylist())

    def names(self) -> Iterator[str]:
        """The name of each."""
        return (name for part in self._parts(["name"]) for name in part["name"].to_pylist())

    def _parts(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        groups = self._rows // GROUP_ROWS
        for rows in np.split(self._rows, np.flatnonzero(np.diff(groups)) + 1) if len(self) else ():
            group = self._file.read_row_group(rows[0] // GROUP_ROWS, columns, use_threads=False)
            yield group.take(rows % GROUP_ROWS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def columns(self, *names: str) -> pa.Table:
        """Some of SOURCE_COLUMNS."""
        whole = self._file.read(list(names), use_threads=False)
        return whole if np.array_equal(self._rows, np.arange(len(whole))) else whole.take(self._rows)


def pack_sources(sources: Iterable[Source]) -> PackedSources:
    """Pack sources, which are taken one at a time, in their order."""
    if isinstance(sources, PackedSources):
        return sources
    sink, pending, count = pa.BufferOutputStream(), iter(sources), 0
    with pq.ParquetWriter(sink, SOURCE_COLUMNS, write_statistics=False) as writer:
        while some := list(islice(pending, GROUP_ROWS)):
            writer.write_table(pa.table(source_columns(some), SOURCE_COLUMNS))
            count += len(some)
    return PackedSources(sink.getvalue(), np.arange(count))


def source_columns(sources: Sequence[Source]) -> dict[str, list[Any]]:
    """The values of SOURCE_COLUMNS of each source."""
    return {
        "path": [os.fsencode(source.path) for source in sources],
        "name": [source.name for source in sources],
        "start_seconds": [_text(source.start_seconds) for source in sources],
        "end_seconds": [_text(source.end_seconds) for source in sources],
        "labels": [source.labels for source in sources],
        "given_split": [source.split for source in sources],
        "group": [source.group for source in sources],
        "file_of_speaker": [source.file_of_speaker for source in sources],
        "crop": [source.crop for source in sources],
        "stabilize": [source.stabilize for source in sources],
        "member": [source.member and json.dumps(asdict(source.member)) for source in sources],
    }


def source_of(row: Mapping[str, Any]) -> Source:
    """The source whose columns a row has."""
    return Source(
        os.fsdecode(row["path"]),
        row["name"],
        _fraction(row["start_seconds"]),
        _fraction(row["end_seconds"]),
        tuple(row["labels"]),
        row["given_split"],
        row["group"],
        row["file_of_speaker"],
        row["crop"],
        row["stabilize"],
        _member(row["member"]),
    )


def _text(seconds: Fraction | None) -> str | None:
    return None if seconds is None else str(seconds)


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def _member(text: str | None) -> Member | None:
    if text is None:
        return None
    values = json.loads(text)
    return Cell(**values) if "column" in values else Span(**values)
