"""A local copy of clips that lie in an object store: a folder of bounded size, whose least recently used go first."""

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from s2v_ray.storage.files import writing_path

# Several processes may share the folder. Each looks at its size again when it has written a hundredth of the limit,
# and then leaves a tenth free: ten of them stay within it.
_UNSEEN, _LEFT = 0.01, 0.9


def cache_folder() -> Path:
    """Where caches of this program lie, by the convention of desktops and servers alike."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "s2v_ray" / "clips"


class ClipCache:
    """Keeps tables of up to `limit_bytes` in all in `folder`. What can't be written there is read again every time."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        self._unseen_bytes = limit_bytes  # what may have been written since the folder was looked at

    def table(self, name: str, read: Callable[[], pa.Table]) -> pa.Table:
        """The table called `name`, from the folder, or else by `read`. It lies in memory that is mapped to its file."""
        path = self.folder / f"{hashlib.sha256(name.encode()).hexdigest()}.arrow"
        with contextlib.suppress(OSError, pa.ArrowInvalid):  # not there, or damaged by what stopped the machine
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            os.utime(path)
            return table
        table = read()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        try:
            self._write(path, sink.getvalue())
        except OSError as error:
            warnings.warn(f"'{self.folder}' keeps no clips ({error}): they are read again every time.", stacklevel=2)
        return table

    def _write(self, path: Path, content: pa.Buffer) -> None:
        if content.size > self.limit_bytes:
            return
        self._unseen_bytes += content.size
        if self._unseen_bytes > _UNSEEN * self.limit_bytes:
            self._make_room(content.size)
            self._unseen_bytes = 0
        with writing_path(path) as beside:
            beside.write_bytes(content)

    def _make_room(self, size: int) -> None:
        found = []
        for entry in os.scandir(self.folder) if self.folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # another process made room, too
                stat = entry.stat()
                found.append((stat.st_mtime_ns, stat.st_size, entry.path))
        total = size + sum(bytes_ for _, bytes_, _ in found)
        if total <= self.limit_bytes:
            return
        for _, bytes_, path in sorted(found):
            if total <= max(size, _LEFT * self.limit_bytes):
                break
            Path(path).unlink(missing_ok=True)
            total -= bytes_
