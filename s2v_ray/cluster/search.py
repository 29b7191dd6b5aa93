"""Ray Tune's Optuna search, with three differences.

Optuna's journal is the only record, so that a search resumes after any interruption: trials that were running then come
first, as the same trials. A trial that ASHA stops is recorded as pruned, where Ray would record its last value as if it
had been trained to the end. And settings can be enqueued, even those outside the space such as λ = 0.
"""

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from s2v_ray.cluster.ray_internals import study_of, trials_of
from s2v_ray.storage.files import exists, read_bytes
from s2v_ray.storage.paths import join
from s2v_ray.tuning.optuna_internals import resumed
from s2v_ray.tuning.space import Space, is_within
from s2v_ray.tuning.trials import FAILURE, KIND, METRICS, SEARCH, SECONDS, SETTINGS

PERCENT, DONE = "percent", 100.0  # of a trial's budget
MEASURED = "metrics/"
FAILURE_FILE = "failure.txt"  # in a trial's folder
_KILLED = "its process was killed at each attempt, as when memory runs out"


class JournalSearch(OptunaSearch):
    """A search of `space` in the study of this name; `finished` is called after each trial that ends.

    `folder` is that of a trial by its number. No trial starts after `deadline`, in seconds since 1970.
    """

    def __init__(
        self,
        space: Space,
        *,
        study_name: str,
        storage: BaseStorage,
        objectives: tuple[str, ...],
        sampler: BaseSampler,
        deadline: float,
        folder: Callable[[int], str],
        finished: Callable[[], None],
    ) -> None:
        several = len(objectives) > 1
        super().__init__(
            partial(choose, space),
            metric=list(objectives) if several else objectives[0],
            mode=["max"] * len(objectives) if several else "max",
            study_name=study_name,
            storage=storage,
            sampler=sampler,
        )
        self._deadline, self._folder, self._finished = deadline, folder, finished
        self._study = study_of(self)
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        self._interrupted = [resumed(self._study, trial) for trial in running]

    def suggest(self, trial_id: str) -> Any:
        """The next trial's settings; interrupted trials come first."""
        if time.time() > self._deadline:
            return Searcher.FINISHED
        if self._interrupted:
            trials_of(self)[trial_id] = self._interrupted.pop(0)
        return super().suggest(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Record what was measured, and report it to Optuna at the percentage of the budget."""
        trial = trials_of(self)[trial_id]
        if FAILURE in result:
            return
        metrics = {name.removeprefix(MEASURED): result[name] for name in result if name.startswith(MEASURED)}
        trial.set_user_attr(METRICS, metrics)
        trial.set_user_attr(SECONDS, result["seconds"])
        if isinstance(self.metric, str):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Ray sends the last result twice
                trial.report(result[self.metric], round(result[PERCENT]))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell Optuna how it ended: complete, pruned by ASHA, or failed with a reason."""
        trial = trials_of(self)[trial_id]
        if error or not result or FAILURE in result:
            trial.set_user_attr(FAILURE, read_failure(self._folder(trial.number)) or _KILLED)
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self.on_trial_result(trial_id, result)
            if result[PERCENT] < DONE:
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                names = [self.metric] if isinstance(self.metric, str) else self.metric
                self._study.tell(trial, [result[name] for name in names])
        self._finished()


def choose(space: Space, trial: Any) -> dict[str, Any]:
    """A trial's settings, either enqueued or the sampler's choice, with its number and kind."""
    settings = trial.user_attrs.get(SETTINGS)
    if settings is None or is_within(space, settings):
        settings = {name: _suggest(trial, name, distribution) for name, distribution in space.searched.items()}
    return {"number": trial.number, KIND: trial.user_attrs.get(KIND, SEARCH), SETTINGS: settings}


def enqueue(study: optuna.Study, space: Space, kind: str, settings: dict[str, Any]) -> None:
    """Make the study's next trial one of these settings, unless they were enqueued before."""
    attributes = {KIND: kind, SETTINGS: settings}
    if any(attributes.items() <= trial.user_attrs.items() for trial in study.get_trials(deepcopy=False)):
        return
    study.enqueue_trial(settings if is_within(space, settings) else {}, user_attrs=attributes)


def read_failure(run: str) -> str:
    """Why the trial in this folder failed; "" if it left no reason."""
    path = join(run, FAILURE_FILE)
    return read_bytes(path).decode() if exists(path) else ""


def _suggest(trial: Any, name: str, distribution: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    suggest = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
    return suggest(name, distribution.low, distribution.high, log=distribution.log)
