"""Tracking a run: its entries are found or made where the verb starts, and opened by the process that trains."""

import importlib.util
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from s2v_ray.errors import UserError
from s2v_ray.storage.files import read_bytes, write_bytes
from s2v_ray.storage.paths import Location, is_uri, join
from s2v_ray.tracking import mlflow_run, wandb_run
from s2v_ray.tracking.background import in_background, one_line
from s2v_ray.tracking.entries import Entry, read_entries, write_entries
from s2v_ray.tracking.tracker import FAILED, MLFLOW, NAMES, STOPPED, TENSORBOARD, UNCHANGED, WANDB, Tracker

T = TypeVar("T")

_PROJECT = "s2v_ray"
_TRAINING_GOES_ON = (
    " The training goes on, and metrics.jsonl has everything; when the run is resumed, what is missing is sent."
)
_SECONDS_TO_ANSWER = 60.0  # MLflow's client tries for minutes; a new SQLite file takes it ten seconds


@dataclass(frozen=True)
class Tracking:
    """Where a run is tracked, and what its entries say of it.

    A sweep and its trials share a `group`; `kind` is what they are there, such as "search". `settings` are the
    configuration, and what is trained on. `mlflow_uri` is the same for all processes.
    """

    tensorboard: bool = True
    entries: tuple[Entry, ...] = ()
    name: str = ""
    group: str = ""
    kind: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    mlflow_uri: str = field(default="", repr=False)  # may hold credentials

    @property
    def names(self) -> tuple[str, ...]:
        """What `--track` names."""
        return (*((TENSORBOARD,) if self.tensorboard else ()), *(entry.tracker for entry in self.entries))


def check_installed(names: Sequence[str]) -> None:
    """Raise UserError `no_wandb` or `no_mlflow` for a tracker whose library isn't installed."""
    for name in names:
        if name != TENSORBOARD and importlib.util.find_spec(name) is None:
            install = f"in the folder of s2v_ray: pip install '.[{name}]'"
            raise UserError(f"no_{name}", f"--track {name} needs its library; {install}")


def start_tracking(
    run: Location,
    names: Sequence[str],
    *,
    name: str,
    settings: Mapping[str, Any],
    within: Tracking | None = None,
    kind: str = "",
) -> Tracking:
    """Find the entries of `run` in its folder, or make and write them; `within` is the sweep of which it is a trial.

    Raises UserError `no_wandb`, `no_mlflow`, `damaged_trackers`, and `tracker_unavailable` where one can't be written
    to.
    """
    check_installed(names)
    known = {entry.tracker: entry for entry in read_entries(run)}
    parents = {entry.tracker: entry.id for entry in within.entries} if within else {}
    projects = {entry.tracker: entry.project for entry in within.entries} if within else {}
    uri = ""
    if MLFLOW in names:
        uri = within.mlflow_uri if within else mlflow_run.tracking_uri()
        project = projects.get(MLFLOW) or os.environ.get("MLFLOW_EXPERIMENT_NAME") or _PROJECT
        if entry := known.get(MLFLOW):
            _answer(MLFLOW, partial(mlflow_run.check_entry, uri, entry))
        else:
            tags = {"kind": kind} if kind else {}
            make = partial(mlflow_run.new_entry, uri, project, name, settings, tags, parents.get(MLFLOW, ""))
            known[MLFLOW] = _answer(MLFLOW, make)
    if WANDB in names:
        _check_login()
        project = projects.get(WANDB) or os.environ.get("WANDB_PROJECT") or _PROJECT
        known.setdefault(WANDB, wandb_run.new_entry(project))
    if known:
        write_entries(run, tuple(known.values()))
    asked = tuple(entry for entry in known.values() if entry.tracker in names)
    group = within.group if within else ""
    return Tracking(TENSORBOARD in names, asked, name, group, kind, settings, uri)


def found_tracking(run: Location, names: Sequence[str]) -> Tracking:
    """Where a run that was trained before is tracked. Raises UserError as `start_tracking`, and `not_tracked`."""
    check_installed(names)
    known = {entry.tracker: entry for entry in read_entries(run)}
    for name in names:
        if name not in known:
            rule = f"'{run}' has no entry there; give --track {name} to its s2v train command, which resumes it"
            raise UserError("not_tracked", f"--track {name}: {rule} and makes one.")
    uri = mlflow_run.tracking_uri() if MLFLOW in names else ""
    if MLFLOW in names:
        _answer(MLFLOW, partial(mlflow_run.check_entry, uri, known[MLFLOW]))
    if WANDB in names:
        _check_login()
    return Tracking(False, tuple(known[name] for name in names), mlflow_uri=uri)


@contextmanager
def open_trackers(
    tracking: Tracking,
    run: Location,
    tell: Callable[[str], None],
    opened: Callable[[str], None] = lambda message: None,
    *,
    training: bool = True,
) -> Iterator[list[Tracker]]:
    """The run's entries, open, but for TensorBoard, whose files belong to the run's logs.

    `opened` is told where they are, `tell` if one fails: whatever it is, nothing is raised, and nothing hangs.
    Close them, with how it ended; otherwise they are closed as failed after an error, as stopped after anything else.
    """
    with ExitStack() as stack:
        outcome, then = STOPPED, _TRAINING_GOES_ON if training else ""

        def close(tracker: Tracker) -> None:
            tracker.close(outcome)

        trackers = [
            in_background(NAMES[entry.tracker], partial(_open, tracking, entry, run, training), tell, opened, then)
            for entry in tracking.entries
        ]
        for tracker in trackers:
            stack.callback(close, tracker)
        try:
            yield trackers
        except Exception:
            outcome = FAILED
            raise


def track_files(
    tracking: Tracking,
    run: Location,
    kind: str,
    folder: Location,
    names: Iterable[str],
    tell: Callable[[str], None],
    *,
    outcome: str = UNCHANGED,
    scores: tuple[int, Mapping[str, float]] | None = None,
) -> None:
    """Add files of a folder to the run's entries as an artefact, and the scores of its model at a step."""
    with (
        tempfile.TemporaryDirectory(prefix="s2v_") as copies,
        open_trackers(tracking, run, tell, tell, training=False) as trackers,
    ):
        files = {}
        for name in names:
            files[name] = Path(copies, name) if is_uri(folder) else Path(folder, name)
            if is_uri(folder):
                write_bytes(files[name], read_bytes(join(folder, name)))
        for tracker in trackers:
            tracker.files(kind, files)
            if scores:
                tracker.scores(*scores)
            tracker.close(outcome)


def _open(tracking: Tracking, entry: Entry, run: Location, training: bool) -> Tracker:
    if entry.tracker == MLFLOW:
        return mlflow_run.open_mlflow(tracking.mlflow_uri, entry, training=training)
    return wandb_run.open_wandb(
        run, entry, name=tracking.name, group=tracking.group, kind=tracking.kind, settings=tracking.settings
    )


def _answer(name: str, ask: Callable[[], T]) -> T:
    """What `ask` returns. Raises UserError `tracker_unavailable` for what it raises, and if that takes too long."""
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # whatever a library raises
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return answer.result(_SECONDS_TO_ANSWER)
    except TimeoutError:
        raise _unavailable(name, TimeoutError(f"no answer within {_SECONDS_TO_ANSWER:.0f} seconds")) from None
    except Exception as error:
        raise _unavailable(name, error) from None


def _check_login() -> None:
    try:
        wandb_run.check_login()  # on this thread, since it may ask in a terminal
    except Exception as error:  # whatever the library raises
        raise _unavailable(WANDB, error) from None


def _unavailable(name: str, error: Exception) -> UserError:
    hint = {
        MLFLOW: "set MLFLOW_TRACKING_URI (a server's address, or sqlite:////home/me/mlflow.db)",
        WANDB: "set WANDB_API_KEY, give `wandb login`, or set WANDB_MODE=offline",
    }[name]
    return UserError("tracker_unavailable", f"--track {name}: {NAMES[name]} says: {one_line(error)}; {hint}.")
