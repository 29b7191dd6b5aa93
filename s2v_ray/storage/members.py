"""Files inside other files, read where they lie: a member of a tar, a value of an Arrow or Parquet table."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.storage.files import file_info, open_file, store_errors

_STREAMED_BYTES = 2**20  # of a Parquet column at a time: no more than a value and this is held


@dataclass(frozen=True)
class Span:
    """A file that is a run of bytes of the file at `container`."""

    container: str
    name: str  # of the file there
    offset_bytes: int
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.container}#{self.name}"


@dataclass(frozen=True)
class Cell:
    """A file that is a value of the Parquet file at `container`."""

    container: str
    name: str
    column: str  # such as "video.bytes"
    row_group: int
    row: int  # of the group

    def __str__(self) -> str:
        return f"{self.container}#{self.name}"


Member = Span | Cell


def open_member(member: Member) -> Any:
    """A member as a binary file, open for reading and seeking.

    Raises FileNotFoundError if the container has gone, and OSError or ValueError (such as pyarrow's) if it can't be
    read, or if the value is null.
    """
    with store_errors(member.container):
        if isinstance(member, Span):
            return _Slice(open_file(member.container), member.offset_bytes, member.size_bytes)
        info = file_info(member.container)
        version = f"{info.size} {info.mtime_ns}"
        value = _rows(member.container, version, member.column, member.row_group).value(member.row)
    if value is None:
        raise ValueError(f"row {member.row} of its group holds nothing")
    return pa.BufferReader(value)


class _Slice(io.RawIOBase):
    """Some bytes of a file as a file of their own."""

    def __init__(self, file: pa.NativeFile, offset: int, size: int) -> None:
        self._file, self._offset, self._size, self._position = file, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        content = bytes(self._file.read_at(left if size < 0 else min(size, left), self._offset + self._position))
        self._position += len(content)
        return content


class _Rows:
    """The values of a column in a row group, read one after another: going on costs no more than the next value."""

    def __init__(self, container: str, column: str, row_group: int) -> None:
        self._container, self._column, self._row_group = container, column, row_group
        self._values: Iterator[pa.Buffer | None] = iter(())
        self._row, self._value = -1, None

    def value(self, row: int) -> pa.Buffer | None:
        if row < self._row or self._row < 0:
            self._values, self._row = self._read(), -1
        try:
            while self._row < row:
                self._value = next(self._values, None)
                self._row += 1
        except Exception:
            self._row = -1  # what has failed once is at its end: another try begins anew
            raise
        return self._value

    def _read(self) -> Iterator[pa.Buffer | None]:
        file = pq.ParquetFile(open_file(self._container), buffer_size=_STREAMED_BYTES, pre_buffer=False)
        options: dict[str, Any] = {"batch_size": 1, "row_groups": [self._row_group], "use_threads": False}
        for batch in file.iter_batches(columns=[self._column], **options):
            values = batch.column(0)
            while pa.types.is_struct(values.type):
                values = values.field(0)
            yield from (value.as_buffer() if value.is_valid else None for value in values)


# One, as it holds a whole video: a source is opened several times, and the next one is mostly the next row.
@lru_cache(maxsize=1)
def _rows(container: str, version: str, column: str, row_group: int) -> _Rows:
    del version  # it only tells a replaced file from the one that was read
    return _Rows(container, column, row_group)
