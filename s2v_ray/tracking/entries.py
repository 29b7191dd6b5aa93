"""`trackers.json` in a run's folder: its entries in trackers, so that later sessions continue the same ones."""

import json
import re
from dataclasses import asdict, dataclass

from s2v_ray.dataset.typed import typed
from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists, read_bytes, write_bytes
from s2v_ray.storage.paths import Location, join
from s2v_ray.tracking.tracker import MLFLOW, WANDB

ENTRIES_FILE = "trackers.json"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_PROJECT = 500  # MLflow's limit; such a name may hold slashes, and is never part of a path


@dataclass(frozen=True)
class Entry:
    """A run's entry in a tracker, in a project of Weights & Biases or an experiment of MLflow."""

    tracker: str
    id: str
    project: str


def read_entries(run: Location) -> tuple[Entry, ...]:
    """The entries of a run. Raises UserError `damaged_trackers` for a file that holds anything else."""
    path = join(run, ENTRIES_FILE)
    if not exists(path):
        return ()
    try:
        entries: tuple[Entry, ...] = typed(json.loads(read_bytes(path)), tuple[Entry, ...])
        if unusable := [entry for entry in entries if not _is_usable(entry)]:
            raise ValueError(f"{unusable[0]} names no entry")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        rule = f"doesn't say where the run is tracked ({error!r})"
        raise UserError("damaged_trackers", f"'{path}' {rule}; remove it, and new entries are made.") from None
    return entries


def write_entries(run: Location, entries: tuple[Entry, ...]) -> None:
    """Write the file, whole."""
    write_bytes(join(run, ENTRIES_FILE), json.dumps([asdict(entry) for entry in entries], indent=2).encode())


def _is_usable(entry: Entry) -> bool:
    named = entry.tracker in (WANDB, MLFLOW) and _ID.fullmatch(entry.id) is not None
    return named and entry.project.isprintable() and 1 <= len(entry.project) <= _LONGEST_PROJECT
