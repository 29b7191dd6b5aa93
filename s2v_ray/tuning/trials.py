"""The trials of a sweep, as recorded in its journal."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists
from s2v_ray.storage.paths import Location, join
from s2v_ray.tuning.journal import JOURNAL, SweepLocation, open_journal, read_journal
from s2v_ray.tuning.objective import Floors, floors_beside, objective_values

PRESET, CONTROL, WARM, SEARCH, WINNER = "preset", "control", "warm start", "search", "winner"
# The user attributes of Optuna's trials that the search writes.
KIND, SETTINGS, METRICS, FAILURE, SECONDS = "kind", "settings", "metrics", "failure", "seconds"
_REPEATS = " repeats"
_RENAMED_METRICS = {"right_minus_wrong": "matched_minus_mismatched"}  # journals of 0.1 have the old names
_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True)
class Trial:
    """One trial: its settings, how it ended, and its validation metrics."""

    number: int
    kind: str
    state: str
    settings: dict[str, Any]
    metrics: dict[str, float]
    failure: str
    seconds: float | None
    score: float | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it needs no further run."""
        return self.state in ("complete", "stopped early", "failed")


def repeats_of(domain: str) -> str:
    """The name of the study with the repeats of a domain's winner and preset."""
    return domain + _REPEATS


def trial_folder(out: Location, study_name: str, number: int) -> str:
    """The run directory of a trial."""
    domain = study_name.removesuffix(_REPEATS)
    return join(out, domain, "trials" if domain == study_name else "repeats", f"{number:04d}")


def load_study(storage: JournalStorage, name: str) -> Study | None:
    """The study of this name, or None if it doesn't exist yet."""
    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        return None


def read_trials(study: Study | None, floors: Floors | None) -> list[Trial]:
    """All trials of a study in their order, scored with these floors."""
    return [_read(trial, floors) for trial in study.get_trials(deepcopy=False)] if study else []


def read_floors(study: Study | None) -> Floors | None:
    """The floors from the preset's own trial; None unless it is complete."""
    preset = [trial for trial in read_trials(study, None) if trial.kind == PRESET and trial.state == "complete"]
    return floors_beside(preset[0].metrics) if preset else None


def best_trial(trials: Iterable[Trial]) -> Trial | None:
    """The complete trial with the highest score; the control doesn't count."""
    candidates = [trial for trial in trials if trial.state == "complete" and trial.kind != CONTROL]
    return max(candidates, key=lambda trial: trial.score or 0.0, default=None)


def best_settings(sweep: Location, domain: str) -> list[dict[str, Any]]:
    """The best settings of an earlier sweep: those of the same domain if it has that, else those of every domain.

    Raises UserError if there is no sweep.
    """
    if not exists(join(sweep, JOURNAL)):
        raise UserError("not_found", f"--warm-start '{sweep}' has no {JOURNAL}; give the --out of an earlier s2v tune.")
    with tempfile.TemporaryDirectory() as folder:  # that sweep may be running
        copy = SweepLocation(folder, Path(folder))
        copy.journal.write_bytes(read_journal(sweep))
        storage = open_journal(copy)
        names = [name for name in optuna.get_all_study_names(storage) if not name.endswith(_REPEATS)]
        studies = [load_study(storage, name) for name in ([domain] if domain in names else names)]
        bests = [best_trial(read_trials(study, read_floors(study))) for study in studies]
        return [best.settings for best in bests if best is not None]


def _read(trial: FrozenTrial, floors: Floors | None) -> Trial:
    metrics = {_RENAMED_METRICS.get(name, name): value for name, value in trial.user_attrs.get(METRICS, {}).items()}
    return Trial(
        number=trial.number,
        kind=trial.user_attrs.get(KIND, SEARCH),
        state=_STATES[trial.state],
        settings=trial.user_attrs.get(SETTINGS) or trial.params,
        metrics=metrics,
        failure=trial.user_attrs.get(FAILURE, ""),
        seconds=trial.user_attrs.get(SECONDS),
        score=objective_values(metrics, floors)["score"] if metrics else None,
    )
