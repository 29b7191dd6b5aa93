"""Local copies of clips from an object store, in a folder of bounded size; the least recently used go first."""

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from s2v_ray.storage.files import writing_path

# Several processes may share the folder. Each measures it again after it has written a hundredth of the limit, and
# then leaves a tenth free: ten processes stay within the limit.
_MEASURED_EVERY, _KEPT = 0.01, 0.9


def cache_folder() -> Path:
    """The folder for cached clips, by the XDG convention."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "s2v_ray" / "clips"


class ClipCache:
    """Tables of up to `limit_bytes` in all in `folder`. What can't be written there is read again every time."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        self._unmeasured_bytes = limit_bytes  # what may have been written since the folder was measured

    def table(self, name: str, read: Callable[[], pa.Table]) -> pa.Table:
        """The table called `name`, mapped from its file in the folder; the first time it comes from `read`."""
        path = self.folder / f"{hashlib.sha256(name.encode()).hexdigest()}.arrow"
        with contextlib.suppress(OSError, pa.ArrowInvalid):  # not there, or damaged by a power cut
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            os.utime(path)
            return table
        table = read()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        content = sink.getvalue()
        try:
            if content.size <= self.limit_bytes:
                self._write(path, content)
        except OSError as error:
            warnings.warn(f"Clips can't be cached in '{self.folder}': {error}", stacklevel=2)
        return table

    def _write(self, path: Path, content: pa.Buffer) -> None:
        self._unmeasured_bytes += content.size
        if self._unmeasured_bytes > _MEASURED_EVERY * self.limit_bytes:
            self._free(content.size)
            self._unmeasured_bytes = 0
        with writing_path(path) as temporary:
            temporary.write_bytes(content)

    def _free(self, size: int) -> None:
        found = []
        for entry in os.scandir(self.folder) if self.folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # removed by another process
                stat = entry.stat()
                found.append((stat.st_mtime_ns, stat.st_size, entry.path))
        total = size + sum(bytes_ for _, bytes_, _ in found)
        if total <= self.limit_bytes:
            return
        for _, bytes_, path in sorted(found):
            if total <= max(size, _KEPT * self.limit_bytes):
                break
            Path(path).unlink(missing_ok=True)
            total -= bytes_
