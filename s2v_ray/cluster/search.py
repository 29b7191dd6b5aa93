"""The searches of a sweep, as Ray Tune asks for trials and reports on them. Optuna's journal is the only record."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from s2v_ray.cluster.monitoring import trial_counter
from s2v_ray.storage.files import exists, read_bytes
from s2v_ray.storage.paths import join
from s2v_ray.tuning.search import DONE, PERCENT, DomainSearch

FAILURE_FILE = "failure.txt"  # in a trial's folder
FAILED = "failed"
_KILLED = "its process was killed at each attempt, as when memory runs out"


class SweepSearch(Searcher):
    """The trials of all domains in one search, so that no process waits while any domain has something to train."""

    def __init__(self, searches: Sequence[DomainSearch]) -> None:
        super().__init__()
        self._searches, self._count = searches, trial_counter()
        self._running: dict[str, tuple[DomainSearch, optuna.Trial]] = {}

    def suggest(self, trial_id: str) -> Any:
        """The next trial, of the domain with the fewest that are running."""
        for search in sorted(self._searches, key=lambda search: search.running):
            if trial := search.ask():
                self._running[trial_id] = search, trial
                return search.parameters(trial)
        return None if self._running else Searcher.FINISHED

    def is_poor(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Record a result, and say whether its trial should be stopped."""
        if PERCENT not in result:
            return False
        search, trial = self._running[trial_id]
        search.record(trial, result)
        return search.is_poor(trial, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Record how a trial ended."""
        search, trial = self._running.pop(trial_id)
        failed = error or not result or FAILED in result
        search.finish(trial, result, failure=(read_failure(search.folder(trial)) or _KILLED) if failed else "")
        if failed or not result:
            self._count(search.sweep.domain, "failed")
        elif PERCENT in result:  # its time is up otherwise, and it is resumed
            self._count(search.sweep.domain, "complete" if result[PERCENT] >= DONE else "stopped early")

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray would pickle it, to restore a sweep from, but the journal has it all."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal has it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the journal has it."""


class Rungs(FIFOScheduler):
    """Stops the trials that a search finds poor."""

    def __init__(self, search: SweepSearch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._search = search

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Whether the trial continues."""
        return TrialScheduler.STOP if self._search.is_poor(trial.trial_id, result) else TrialScheduler.CONTINUE


def read_failure(run: str) -> str:
    """Why the trial in this folder failed; "" if it left no reason."""
    path = join(run, FAILURE_FILE)
    return read_bytes(path).decode() if exists(path) else ""
