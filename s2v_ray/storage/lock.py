"""Locks: one process at a time writes to a run, a sweep or a data set."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from s2v_ray.errors import UserError
from s2v_ray.storage.paths import Location, is_uri

_SECONDS_TO_LOOK = 1.0  # `is_locked` of another process holds a lock for an instant


def is_locked(folder: Location, name: str = ".lock") -> bool | None:
    """Whether a process holds this lock, as far as this machine can tell; None where there are no locks."""
    if is_uri(folder):
        return None
    if not (Path(folder) / name).exists():
        return False
    try:
        with FileLock(Path(folder) / name).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return None


@contextlib.contextmanager
def lock(out: Location, folder: Location, name: str = ".lock") -> Iterator[None]:
    """Hold the lock of `out`, the file `name` in its local `folder`. It is released with the process at the latest.

    There is none in an object store, nor in a file system without locks. Raises UserError `locked` if another process
    holds it.
    """
    if is_uri(folder):
        yield
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    file_lock = FileLock(Path(folder) / name)
    try:
        file_lock.acquire(timeout=_SECONDS_TO_LOOK)
    except Timeout:
        raise UserError("locked", f"Another process is writing to '{out}'; wait, or give another --out.") from None
    except (OSError, NotImplementedError):
        pass  # a network file system without locks
    try:
        yield
    finally:
        file_lock.release()
