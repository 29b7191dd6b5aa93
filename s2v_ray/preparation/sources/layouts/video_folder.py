"""VideoFolder of Hugging Face's `datasets`: videos in folders, with `metadata.csv`, `.jsonl` or `.parquet` beside them.

A row of the metadata names a video by `file_name` (or `..._file_name`), relative to the metadata's folder; the texts in
its other columns are labels.
"""

import csv
import io
import json
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow.parquet as pq

from s2v_ray.errors import StoreError, UserError
from s2v_ray.preparation.sources.layouts.found import (
    BATCH_ROWS,
    BROKEN,
    VIDEO_SUFFIXES,
    Found,
    about,
    folder_labels,
    labels_in,
    real_splits,
    shown,
    split_of,
)
from s2v_ray.preparation.sources.source import Source
from s2v_ray.storage.files import open_file, read_bytes, store_errors

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FILE_NAME = "file_name"


def read(files: Mapping[str, str]) -> Found:
    """The videos that metadata among `files` name, which are locations by name."""
    found = Found()
    sources: dict[str, Source] = {}
    for name, path in files.items():
        if PurePosixPath(name).name not in METADATA:
            continue
        rows = 0
        try:
            for number, row in enumerate(_rows(name, path), 1):
                rows += _take(found, sources, files, f"{name}, row {number}", posixpath.dirname(name), row)
        except StoreError:
            raise
        except (UserError, csv.Error, *BROKEN) as error:
            found.names.add(name)
            found.reject(name, "unreadable", f"It can't be read as a table with file_name: {shown(error)}.")
        if rows:
            found.names.add(name)
    found.names |= sources.keys()
    found.names |= about(found.names, files) if found.names else set()
    found.sources = real_splits(sources.values())
    return found


def _take(
    found: Found, sources: dict[str, Source], files: Mapping[str, str], where: str, folder: str, row: dict[str, Any]
) -> int:
    """Add the videos of one row; returns whether it names any file."""
    keys = [key for key in row if isinstance(key, str) and (key == _FILE_NAME or key.endswith(f"_{_FILE_NAME}"))]
    for key in keys:
        given = row[key]
        if not isinstance(given, str) or (key != _FILE_NAME and PurePosixPath(given).suffix not in VIDEO_SUFFIXES):
            continue
        name = posixpath.normpath(posixpath.join(folder, given))
        if name not in files:
            rule = "but there is no such file below its folder"
            found.reject(name.lstrip("/."), "missing", f"{where} names '{shown(given)}', {rule}.")
            continue
        texts = [text for other, value in row.items() if other not in keys for text in labels_in(value)]
        before = sources[name].labels if name in sources else ()
        labels = tuple(dict.fromkeys([*folder_labels(name), *before, *texts]))
        sources[name] = Source(files[name], name, labels=labels, split=split_of(name), group=name)
    return len(keys)


def _rows(name: str, path: str) -> Iterator[dict[str, Any]]:
    if name.endswith(".parquet"):
        with store_errors(path), open_file(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, use_threads=False):
                yield from batch.to_pylist()
        return
    text = read_bytes(path).decode("utf-8-sig")
    if name.endswith(".csv"):
        yield from csv.DictReader(io.StringIO(text, newline=""), strict=True)
        return
    for line in filter(str.strip, text.splitlines()):
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError(f"'{shown(line)}' is no object")
        yield row
