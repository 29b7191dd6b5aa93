"""A sweep's journal: one file with an Optuna study for each domain, and one for its repeats.

An object store can't append: for a sweep that is stored there, the file is local, and uploaded whole after each change.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from s2v_ray.logs import library_level
from s2v_ray.storage.cache import cache_folder
from s2v_ray.storage.files import exists, read_bytes, upload, write_bytes
from s2v_ray.storage.paths import Location, is_uri, join

JOURNAL = "journal.log"


@dataclass(frozen=True)
class SweepLocation:
    """A sweep's path or URI, and the local folder of its journal: the same, unless `out` is in an object store."""

    out: str
    local: Path

    @property
    def journal(self) -> Path:
        """The local file."""
        return self.local / JOURNAL


def sweep_location(out: str) -> SweepLocation:
    """The location of the sweep with this absolute path or URI."""
    if not is_uri(out):
        return SweepLocation(out, Path(out))
    return SweepLocation(out, cache_folder().with_name("sweeps") / hashlib.sha256(out.encode()).hexdigest()[:16])


def fetch_journal(location: SweepLocation) -> None:
    """Replace the local journal by the object store's, which another machine may have written last."""
    if not is_uri(location.out):
        return
    if exists(join(location.out, JOURNAL)):
        write_bytes(location.journal, read_journal(location.out))
    else:
        location.journal.unlink(missing_ok=True)


def read_journal(out: Location) -> bytes:
    """The complete lines of a sweep's journal, without a last one that is only partly written."""
    journal = read_bytes(join(out, JOURNAL))
    return journal[: journal.rfind(b"\n") + 1]


def open_journal(location: SweepLocation) -> JournalStorage:
    """All studies of a sweep; optuna-dashboard opens the same file."""
    optuna.logging.set_verbosity(library_level(optuna.logging.ERROR))
    location.local.mkdir(parents=True, exist_ok=True)
    uploaded = is_uri(location.out)
    return JournalStorage(_Uploaded(location) if uploaded else JournalFileBackend(str(location.journal)))


class _Uploaded(JournalFileBackend):
    def __init__(self, location: SweepLocation) -> None:
        super().__init__(str(location.journal))
        self._location = location

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        super().append_logs(logs)
        with FileLock(self._location.local / ".uploading"):  # or an older state might replace a newer one
            upload(self._location.journal, join(self._location.out, JOURNAL))
