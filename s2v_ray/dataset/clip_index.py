"""Which clips a data set has: a table of its files, which a finished data set keeps in a file that is mapped.

So opening a data set costs no look at its files, and a process that reads some clips holds none of the names of the
others. An index belongs to the `dataset.json` that names it: while clips are added, or where an older release has
added some, there is none, and the files are looked at.
"""

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from s2v_ray.dataset.clip_files import clip_files, file_contents
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError
from s2v_ray.storage.cache import cache_folder
from s2v_ray.storage.files import (
    file_info,
    list_files,
    map_concurrently,
    read_bytes,
    remove_file,
    write_bytes,
    writing_path,
)
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import Location, is_uri, join

INDEX_FOLDER = "_index"
_MOST_CLIPS = 10_000  # of a row group
_GONE = (FileNotFoundError, NotADirectoryError)
_AT_ONCE = 10_000  # files that are looked at before their names are packed
_SCHEMA = pa.schema(
    {
        "split": pa.string(),
        "file": pa.string(),
        "source": pa.string(),  # that all its clips are from
        "clips": pa.list_(pa.int32()),  # how many are in each row group
    }
)
# Of files that were looked at. An index has none, so that the same clips have the same: its own name changes with them.
_VERSION = pa.field("version", pa.string())


@dataclass(frozen=True)
class ClipPlace:
    """Where a clip is."""

    split: str
    file: str
    source: str
    version: str  # a text that changes when the file does, or, with an index, when any does
    group: int
    row: int


class ClipIndex:
    """The clips of some splits in the order of their files' names; `path` is the file that `table` is mapped from.

    `version` is that of all files where the table does not have one of each.
    """

    def __init__(
        self,
        table: pa.Table,
        path: str = "",
        splits: Sequence[str] = SPLITS,
        excluded: frozenset[str] = frozenset(),
        version: str = "",
    ) -> None:
        self._path, self._splits, self._excluded, self._version = path, splits, excluded, version
        left_out = pc.is_in(table["source"], pa.array(excluded, pa.string())) if excluded else None
        self._table = table if left_out is None else table.filter(pc.invert(left_out))

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the file itself, unless it was replaced since: clips were added, or the cache was full.
        if self._path and Path(self._path).is_file():
            return _mapped, (self._path, self._splits, self._excluded, self._version)
        return ClipIndex, (self._table, "", self._splits, frozenset(), self._version)

    @cached_property
    def _ends(self) -> np.ndarray:
        """For each file the number of clips up to its end, int64."""
        counts = [_clips_of_files(chunk) for chunk in self._table["clips"].chunks]
        return np.cumsum(np.concatenate([np.empty(0, np.int64), *counts]))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def _file(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"there is no clip {index} of {len(self)}")
        return int(np.searchsorted(self._ends, index, side="right"))

    def place(self, index: int) -> ClipPlace:
        """Where a clip is. Raises IndexError."""
        file = self._file(index)
        counts = self._table["clips"][file].as_py()
        row = index - (int(self._ends[file]) - sum(counts))
        group = 0
        while row >= counts[group]:
            row -= counts[group]
            group += 1
        split, name, source = (self._table[column][file].as_py() for column in ("split", "file", "source"))
        return ClipPlace(split, name, source, self._version or self._table["version"][file].as_py(), group, row)

    def source(self, index: int) -> str:
        """The source of a clip. Raises IndexError."""
        return str(self._table["source"][self._file(index)].as_py())

    def sources(self) -> Iterator[str]:
        """The source of each clip."""
        for batch in self._table.select(["source", "clips"]).to_batches(max_chunksize=_AT_ONCE):
            for source, clips in zip(batch["source"].to_pylist(), batch["clips"].to_pylist(), strict=True):
                for _ in range(sum(clips)):
                    yield source

    def digest(self, prefix: str) -> str:
        """A hash of `prefix` and of which clips these are: their files, row groups and rows."""
        found = hashlib.sha256(prefix.encode())
        for batch in self._table.select(["file", "clips"]).to_batches(max_chunksize=_AT_ONCE):
            lines = [
                f"\n{name} {group} {row}"
                for name, clips in zip(batch["file"].to_pylist(), batch["clips"].to_pylist(), strict=True)
                for group, count in enumerate(clips)
                for row in range(count)
            ]
            found.update("".join(lines).encode())
        return found.hexdigest()[:16]


class ClipSources(Sequence[str]):
    """The source of each clip, none of them held: `source` says that of one, `each` those of all in their order."""

    def __init__(self, count: int, source: Callable[[int], str], each: Callable[[], Iterator[str]]) -> None:
        self._count, self._source, self._each = count, source, each

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._source(each) for each in range(len(self))[index]]
        return self._source(range(len(self))[index])

    def __iter__(self) -> Iterator[str]:
        return self._each()


def open_index(
    clips: Location, name: str, splits: Sequence[str], *, excluded: frozenset[str] = frozenset()
) -> ClipIndex:
    """The clips of some splits: by the index called `name`, or by a look at each file where there is none.

    Those of the sources `excluded` are none of them.

    Raises UserError `damaged_clips`, `wrong_version` or `unreadable` for files that don't hold clips.
    """
    if name:
        location = join(clips, INDEX_FOLDER, name)
        path = _cached(location, name) if is_uri(clips) else location
        with contextlib.suppress(*_GONE):  # removed: the files say the same
            return _mapped(path, splits, excluded, f"{name} {_written(clips)}")
    return ClipIndex(pa.concat_tables([_look(clips, split) for split in splits]), excluded=excluded)


def write_index(clips: Location) -> str:
    """Write the index of a data set in place of the one before; returns its name, a hash of its content."""
    return write_table(clips, [_look(clips, split) for split in SPLITS])


def write_table(clips: Location, tables: Sequence[pa.Table]) -> str:
    """`write_index` for files that are known: those of each of SPLITS, a table of the index's columns."""
    ends = [0, *accumulate(table.num_rows for table in tables)]
    metadata = {f"rows {split}": f"{first} {last}" for split, (first, last) in zip(SPLITS, pairwise(ends), strict=True)}
    whole = pa.concat_tables([table.select(_SCHEMA.names) for table in tables]).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _SCHEMA.with_metadata(metadata)) as writer:
        writer.write_table(whole.cast(_SCHEMA).replace_schema_metadata(metadata))
    content = sink.getvalue()
    name = _name_of(content)
    write_bytes(join(clips, INDEX_FOLDER, name), content)
    for other in list_files(join(clips, INDEX_FOLDER)):
        if other != name:
            remove_file(join(clips, INDEX_FOLDER, other))
    return name


def _written(clips: Location) -> str:
    """When a data set in an object store was finished: other clips may have the same index."""
    if not is_uri(clips):
        return ""
    info = file_info(join(clips, "dataset.json"))
    return f"{info.size} {info.mtime_ns}"


def _mapped(path: str, splits: Sequence[str], excluded: frozenset[str], version: str) -> ClipIndex:
    try:
        whole = pa.ipc.open_file(pa.memory_map(path)).read_all()
        _check(whole)
        table = pa.concat_tables([_part(whole, split) for split in splits])
    except _GONE:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise UserError("unreadable", f"'{path}' can't be read: {reason(error)}.") from None
        raise _damaged(path, error) from None
    return ClipIndex(table, path, splits, excluded, version)


def _damaged(location: str, error: object) -> UserError:
    detail = f"'{location}' is not the index that its data set names ({error})"
    return UserError("damaged_clips", f"{detail}; remove it: then each file is looked at.")


def _part(table: pa.Table, split: str) -> pa.Table:
    """The rows of a split, which the metadata name. Raises ValueError, KeyError or TypeError if they are others."""
    first, last = map(int, table.schema.metadata[f"rows {split}".encode()].split())
    if not 0 <= first <= last <= table.num_rows:
        raise ValueError(f"rows {first} to {last} of {table.num_rows}")
    part = table.slice(first, last - first)
    if set(pc.unique(part["split"]).to_pylist()) - {split}:
        raise ValueError(f"files of other splits in '{split}'")
    return part


def _check(table: pa.Table) -> None:
    """Raise ValueError or ArrowInvalid for what `write_index` would not write: it may come from a stranger."""
    if not table.schema.equals(_SCHEMA) or any(column.null_count for column in table.columns):
        raise ValueError("other columns")
    table.validate(full=True)
    for clips in table["clips"].chunks:
        counts = clips.values.to_numpy(zero_copy_only=False)
        if len(counts) and not 0 <= counts.min() <= counts.max() <= _MOST_CLIPS:
            raise ValueError(f"row groups of {counts.min()} to {counts.max()} clips")
    splits, names = set(pc.unique(table["split"]).to_pylist()), table["file"]
    if not splits <= set(SPLITS) or pc.any(pc.match_substring_regex(names, r"[/\\]|^\.")).as_py():
        raise ValueError("names that lead elsewhere")


def _cached(location: str, name: str) -> str:
    """The copy on this machine of an index in an object store: its name says which it is.

    There is none, as FileNotFoundError says where it is opened, if there is no index, or it can't be written.
    """
    path = cache_folder() / name
    if not path.is_file():
        try:
            content = read_bytes(location)
        except UserError as error:
            if error.code == "not_found":
                return str(path)
            raise
        if _name_of(content) != name:  # never kept for another data set that names it
            raise _damaged(location, f"it should be called {_name_of(content)}")
        try:
            with writing_path(path) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            why = f"The index of clips can't be cached in '{path.parent}' ({reason(error)}); each file is looked at."
            warnings.warn(why, stacklevel=2)
    return str(path)


def _name_of(content: bytes | pa.Buffer) -> str:
    return f"{hashlib.sha256(content).hexdigest()[:16]}.arrow"


def _look(clips: Location, split: str) -> pa.Table:
    """The table of a split, by a look at each of its files."""
    folder = join(clips, f"split={split}")
    versions = list(clip_files(clips, split).items())
    schema = _SCHEMA.append(_VERSION)
    tables = [schema.empty_table()]
    for first in range(0, len(versions), _AT_ONCE):
        some = versions[first : first + _AT_ONCE]
        contents = map_concurrently(file_contents, [join(folder, name) for name, _ in some], remote=is_uri(clips))
        columns = {
            "split": [split] * len(some),
            "file": [name for name, _ in some],
            "version": [version for _, version in some],
            "source": [source for source, _ in contents],
            "clips": [counts for _, counts in contents],
        }
        tables.append(pa.table(columns, schema))
    return pa.concat_tables(tables)


def _clips_of_files(counts: pa.ListArray) -> np.ndarray:
    """The sum of each list, int64."""
    sums = np.concatenate([[0], np.cumsum(counts.values.to_numpy(zero_copy_only=False), dtype=np.int64)])
    offsets = counts.offsets.to_numpy()
    return np.asarray(sums[offsets[1:]] - sums[offsets[:-1]])
