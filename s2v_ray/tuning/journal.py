"""A sweep's journal: one file with an Optuna study a domain, and one for its repeats.

An object store can't append: of a sweep that lies there the file is local, and uploaded whole after each change.
"""

import fcntl
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from s2v_ray.storage.cache import cache_folder
from s2v_ray.storage.files import exists, read_bytes, upload, write_bytes
from s2v_ray.storage.paths import Location, absolute, is_uri, join

JOURNAL = "journal.log"


@dataclass(frozen=True)
class SweepPlace:
    """Where a sweep lies, and the local folder of its journal: the same, unless `out` is in an object store."""

    out: str
    local: Path

    @property
    def journal(self) -> Path:
        """The file."""
        return self.local / JOURNAL


def sweep_place(out: Location) -> SweepPlace:
    """Where the sweep of this path or URI lies."""
    place = absolute(out)
    if not is_uri(place):
        return SweepPlace(place, Path(place))
    return SweepPlace(place, cache_folder().with_name("sweeps") / hashlib.sha256(place.encode()).hexdigest()[:16])


def fetch_journal(place: SweepPlace) -> None:
    """Begin with the journal that an object store has, whatever another machine wrote of it last."""
    if not is_uri(place.out):
        return
    if exists(join(place.out, JOURNAL)):
        write_bytes(place.journal, read_journal(place.out))
    else:
        place.journal.unlink(missing_ok=True)


def read_journal(out: Location) -> bytes:
    """The lines of a sweep's journal, without one at its end that is, or was, being written."""
    journal = read_bytes(join(out, JOURNAL))
    return journal[: journal.rfind(b"\n") + 1]


def open_journal(place: SweepPlace) -> JournalStorage:
    """All studies of a sweep; optuna-dashboard opens the same file."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    place.local.mkdir(parents=True, exist_ok=True)
    return JournalStorage(_Uploaded(place) if is_uri(place.out) else JournalFileBackend(str(place.journal)))


class _Uploaded(JournalFileBackend):
    def __init__(self, place: SweepPlace) -> None:
        super().__init__(str(place.journal))
        self._place = place

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        super().append_logs(logs)
        with (self._place.local / ".uploading").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # or an older state might replace a newer one
            upload(self._place.journal, join(self._place.out, JOURNAL))
