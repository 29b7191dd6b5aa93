"""The Parquet files that hold clips: which there are, and how they are opened and read."""

import contextlib
from collections.abc import Iterator
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.dataset.schema import READABLE_VERSIONS, SCHEMA_VERSION
from s2v_ray.errors import UserError
from s2v_ray.storage.files import list_versions, open_file, store_errors
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import Location, is_uri, join

_OPEN_FILES = 64
_MOST_ROWS_PER_BYTE = 1000  # of a footer, which has some hundred bytes for each row group, of a few clips


def clip_files(clips: Location, split: str) -> dict[str, str]:
    """The names of a split's Parquet files, sorted, each with a text that changes when the file does."""
    return {
        name: version
        for name, version in list_versions(join(clips, f"split={split}")).items()
        if name.endswith(".parquet") and not name.startswith(".")
    }


def file_contents(location: str) -> tuple[str, list[int]]:
    """The source that all clips of a file are from, and the number of clips in each row group."""
    file = open_clips(location)
    with damaged_clips(location):
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        if sum(counts) > file.metadata.serialized_size * _MOST_ROWS_PER_BYTE:
            raise ValueError(f"{sum(counts)} rows")
        source = file.read_row_group(0, ["source"], use_threads=False)["source"][0].as_py() if any(counts) else ""
        if not isinstance(source, str):
            raise TypeError(f"source is {source!r}")
    return source, counts


@contextlib.contextmanager
def damaged_clips(location: str) -> Iterator[None]:
    """Raise UserError `damaged_clips` for what is found only when a file is read: other columns, types and sizes."""
    try:
        with store_errors(location):
            yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        detail = f"'{location}' does not hold the clips that its data set describes ({error})"
        raise UserError("damaged_clips", f"{detail}; remove it and prepare it again.") from None


def open_clips(location: str) -> pq.ParquetFile:
    """A reader of its own for each call; the file underneath stays open between calls.

    Raises UserError for what is no complete file of clips, or none that this release reads.
    """
    file, metadata = _open_once(location)
    return pq.ParquetFile(file, metadata=metadata, pre_buffer=is_uri(location))


@lru_cache(maxsize=_OPEN_FILES)
def _open_once(location: str) -> tuple[pa.NativeFile, pq.FileMetaData]:
    try:
        with store_errors(location):
            file = open_file(location)
            whole = pq.ParquetFile(file)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        detail = f"'{location}' is not a complete Parquet file ({error})"
        raise UserError("damaged_clips", f"{detail}; remove it and prepare it again.") from None
    except OSError as error:
        raise UserError("unreadable", f"'{location}' can't be read: {reason(error)}.") from None
    version = (whole.schema_arrow.metadata or {}).get(b"schema_version", b"none").decode()
    if version not in map(str, READABLE_VERSIONS):
        rule = f"has schema version {version}, but must have {SCHEMA_VERSION}; prepare it again."
        raise UserError("wrong_version", f"'{location}' {rule}")
    return file, whole.metadata
