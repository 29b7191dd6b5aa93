"""That one process alone writes to a run, a sweep or a data set."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2v_ray.errors import UserError
from s2v_ray.storage.paths import Location, is_uri


@contextmanager
def only_one(out: Location, local: Location) -> Iterator[None]:
    """Hold the lock of `out` in its folder `local`; it ends with the process. An object store has none.

    Raises UserError where another process holds it.
    """
    if is_uri(local):
        yield
        return
    Path(local).mkdir(parents=True, exist_ok=True)
    with (Path(local) / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"Another process is writing to '{out}'; wait until it ends, or give another --out."
            ) from None
        except OSError:
            pass  # a network's file system that knows no locks
        yield
