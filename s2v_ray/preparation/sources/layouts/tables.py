"""Tables with a column of videos, as `datasets` of Hugging Face writes them: Parquet, and Arrow by `save_to_disk`.

Such a column is a struct of `bytes` and `path`. A value with bytes is decoded where it lies. One with a path alone is
the file there, if it is among the files that were given: no table makes us read anything else.
"""

import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.errors import StoreError
from s2v_ray.preparation.sources.layouts.found import (
    BATCH_ROWS,
    BROKEN,
    Found,
    about,
    folder_labels,
    labels_in,
    real_splits,
    shown,
    split_named,
    split_of,
)
from s2v_ray.preparation.sources.source import Source
from s2v_ray.storage.files import open_file, read_bytes, store_errors
from s2v_ray.storage.members import Cell, Member, Span
from s2v_ray.storage.paths import readable

SUFFIXES = (".parquet", ".arrow")


@dataclass(frozen=True)
class _Columns:
    """The columns of a table that matter: of videos, of texts, and of numbers that stand for names."""

    videos: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    names: Mapping[str, list[str]] = field(default_factory=dict)


def read(files: Mapping[str, str]) -> Found:
    """The videos in the tables among `files`, which are locations by name. Tables without videos are left alone."""
    found = Found()
    by_location = {location: name for name, location in files.items()}
    for name, path in files.items():
        if not name.lower().endswith(SUFFIXES):
            continue
        sources = len(found.sources)
        try:
            with store_errors(path):
                is_table = _read_table(name, path, files, by_location, found)
        except StoreError:
            raise
        except BROKEN as error:
            del found.sources[sources:]
            found.reject(name, "unreadable", f"It can't be read as a table: {shown(error)}.")
            is_table = True
        if is_table:
            found.names.add(name)
    found.names |= about(found.names, files)
    found.sources = real_splits(found.sources)
    return found


def _read_table(name: str, path: str, files: Mapping[str, str], by_location: Mapping[str, str], found: Found) -> bool:
    """Add the videos of a table to what is found; returns whether it has any column of them."""
    is_parquet = name.lower().endswith(".parquet")
    with open_file(path) as file:
        columns = _columns(pq.read_schema(file) if is_parquet else pa.ipc.open_stream(file).schema)
        if not columns.videos:
            return False
        file.seek(0)
        rows = _parquet_rows(file, path, columns) if is_parquet else _arrow_rows(file, path, columns)
        split = split_of(name, of_shard=True) or _saved_split(name, files)
        for number, (row, members) in enumerate(rows):
            labels = [*folder_labels(name), *(text for column in columns.texts for text in labels_in(row[column]))]
            for column, names in columns.names.items():
                index = row[column]
                labels += [names[index]] if isinstance(index, int) and 0 <= index < len(names) else []
            for column in columns.videos:
                given = row[column] or ""
                several = f"{column}_" if len(columns.videos) > 1 else ""
                own = f"{name}/{number:05d}_{several}{PurePosixPath(readable(given)).name or 'video'}"
                kept: dict[str, Any] = {"labels": tuple(dict.fromkeys(labels)), "split": split}
                kept["group"] = f"{name}/{number:05d}"  # several videos of one row may show the same moments
                if member := members.get(column):
                    member = _named(member, own[len(name) + 1 :])
                    found.sources.append(Source(str(member), own, member=member, **kept))
                elif not given:
                    found.reject(own, "missing", f"Row {number} of {name} has neither bytes nor a path.")
                else:
                    _refer(found, own, given, name, files, by_location, kept)
    return True


def _refer(
    found: Found,
    own: str,
    given: str,
    table: str,
    files: Mapping[str, str],
    by_location: Mapping[str, str],
    kept: dict[str, Any],
) -> None:
    """Add the file that a table names by its path, relative to the table's folder or absolute."""
    named = posixpath.normpath(posixpath.join(posixpath.dirname(table), given))
    target = named if named in files else by_location.get(given, "")
    if target:
        found.names.add(target)
        found.sources.append(Source(files[target], target, **{**kept, "group": target}))
        return
    rule = "but no such file is among the --videos, and no table makes others be read; give their folder, too"
    found.reject(own, "missing", f"{table} names '{shown(given)}', {rule}.")


def _named(member: Member, name: str) -> Member:
    return type(member)(**{**vars(member), "name": name})


def _columns(schema: pa.Schema) -> _Columns:
    features = _features(schema)
    videos, texts, names = [], [], {}
    for column in schema:
        about_column = features.get(column.name)
        kind = about_column.get("_type") if isinstance(about_column, dict) else None
        if _is_video(column.type) and kind in (None, "Video"):
            videos.append(column.name)
        elif _is_text(column.type) or (pa.types.is_list(column.type) and _is_text(column.type.value_type)):
            texts.append(column.name)
        elif kind == "ClassLabel" and isinstance(about_column, dict) and isinstance(about_column.get("names"), list):
            names[column.name] = [str(each) for each in about_column["names"]]
    return _Columns(tuple(videos), tuple(texts), names)


def _features(schema: pa.Schema) -> dict[str, Any]:
    """What `datasets` says of the columns, by name."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _is_video(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind) or {child.name for child in kind} != {"bytes", "path"}:
        return False
    content = kind.field("bytes").type
    return (pa.types.is_binary(content) or pa.types.is_large_binary(content)) and _is_text(kind.field("path").type)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


_Row = tuple[dict[str, Any], dict[str, Member]]  # paths of videos and other values, and the members with bytes


def _parquet_rows(file: pa.NativeFile, path: str, columns: _Columns) -> Iterator[_Row]:
    """Each row, by columns without the videos' bytes."""
    size = file.size()
    table = pq.ParquetFile(file)
    if table.metadata.num_rows > size:
        raise ValueError(f"{table.metadata.num_rows} rows in {size} bytes")
    read = [*(f"{column}.path" for column in columns.videos), *columns.texts, *columns.names]
    for group in range(table.num_row_groups):
        without = {column for column in columns.videos if _is_null(table.metadata.row_group(group), f"{column}.bytes")}
        batches = table.iter_batches(BATCH_ROWS, row_groups=[group], columns=read, use_threads=False)
        for number, row in enumerate(row for batch in batches for row in batch.to_pylist()):
            members: dict[str, Member] = {
                column: Cell(path, "", f"{column}.bytes", group, number)
                for column in columns.videos
                if column not in without and row[column] is not None
            }
            yield {**row, **{column: (row[column] or {}).get("path") for column in columns.videos}}, members


def _is_null(group: pq.RowGroupMetaData, column: str) -> bool:
    """Whether a column has no value at all in a row group."""
    chunks = (group.column(index) for index in range(group.num_columns))
    chunk = next(chunk for chunk in chunks if chunk.path_in_schema == column)
    statistics = chunk.statistics
    return statistics is not None and statistics.has_null_count and statistics.null_count == group.num_rows


def _arrow_rows(file: pa.NativeFile, path: str, columns: _Columns) -> Iterator[_Row]:
    """Each row of a stream of batches: where a video lies in the file follows from where its batch is mapped.

    From an object store this reads the file once; only a local one is mapped.
    """
    size = file.size()
    schema = pa.ipc.read_schema(pa.ipc.read_message(file))
    while file.tell() < size:
        try:
            message = pa.ipc.read_message(file)
        except EOFError:  # the end of the stream, before that of the file
            return
        if message.type != "record batch":
            raise ValueError(f"it holds a {message.type}; save it as Parquet")
        body, start = message.body, file.tell() - message.body.size
        batch = pa.ipc.read_record_batch(message, schema)
        if batch.num_rows > size:
            raise ValueError(f"{batch.num_rows} rows in {size} bytes")
        if not batch.num_rows:
            continue
        batch.validate(full=True)
        rows = batch.select([*columns.texts, *columns.names]).to_pylist() or [{} for _ in range(batch.num_rows)]
        spans = {column: list(_spans(batch.column(column), body)) for column in columns.videos}
        for column in columns.videos:
            paths = batch.column(column).field("path").to_pylist()
            rows = [{**row, column: given} for row, given in zip(rows, paths, strict=True)]
        for number, row in enumerate(rows):
            places = {column: spans[column][number] for column in columns.videos}
            members: dict[str, Member] = {
                column: Span(path, "", start + place[0], place[1]) for column, place in places.items() if place
            }
            yield row, members


def _spans(videos: pa.StructArray, body: pa.Buffer) -> Iterator[tuple[int, int] | None]:
    """Where in the body of its message the bytes of each video lie, and how many they are; None for nulls."""
    content = videos.field("bytes")
    _, offsets, values = content.buffers()
    kind = pa.int64() if pa.types.is_large_binary(content.type) else pa.int32()
    places = pa.Array.from_buffers(kind, len(content) + 1, [None, offsets], offset=content.offset).to_pylist()
    first = values.address - body.address if values else 0
    if values and not 0 <= first <= body.size - values.size:
        raise ValueError("its batches are compressed; save it as Parquet")
    for video, own, begin, end in zip(videos.is_valid(), content.is_valid(), places, places[1:], strict=False):
        yield (first + begin, end - begin) if video.as_py() and own.as_py() else None


def _saved_split(name: str, files: Mapping[str, str]) -> str:
    """The split that `save_to_disk` noted beside a table; "" if it noted none."""
    state = posixpath.join(posixpath.dirname(name), "state.json")
    if state not in files:
        return ""
    try:
        return split_named(json.loads(read_bytes(files[state]))["_split"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
