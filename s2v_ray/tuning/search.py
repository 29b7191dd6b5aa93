"""A domain's trials in their order: the preset and the control, the search, then the repeats of preset and winner.

The journal is the only record: what a search has to do is what it lacks. Trials that were interrupted come first, as
the same trials.
"""

import math
import time
import zlib
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from s2v_ray.storage.files import exists, remove_folder
from s2v_ray.storage.paths import join
from s2v_ray.tuning.journal import open_journal
from s2v_ray.tuning.objective import objective_values
from s2v_ray.tuning.optuna_internals import resumed
from s2v_ray.tuning.plan import LEAST_TRIALS, DomainSweep
from s2v_ray.tuning.space import ADVERSARIAL_WEIGHTS, Space, is_within
from s2v_ray.tuning.trials import (
    CONTROL,
    FAILURE,
    KIND,
    METRICS,
    PRESET,
    SEARCH,
    SECONDS,
    SETTINGS,
    WARM,
    WINNER,
    best_trial,
    load_study,
    read_floors,
    read_trials,
    repeats_of,
    trial_folder,
)

PERCENT, DONE = "percent", 100.0  # of a trial's budget
MEASURED = "metrics/"
_SLACK = 1.1  # a trial may take longer than those before it did


class DomainSearch:
    """What to run next for a domain, and what became of it. `at_once` of its trials run side by side."""

    def __init__(self, sweep: DomainSweep, at_once: int, *, clock: Callable[[], float] = time.time) -> None:
        self.sweep, self.running = sweep, 0
        self._at_once, self._clock = at_once, clock
        self._started: dict[tuple[str, int], float] = {}
        self._wall_seconds: list[float] = []  # of whole trials, validation included
        self._storage = open_journal(sweep.location)
        self._study, preset = self._open(sweep.domain), sweep.preset
        self._repeats = load_study(self._storage, repeats_of(sweep.domain))
        control = preset | dict.fromkeys(ADVERSARIAL_WEIGHTS, 0.0)
        enqueue(self._study, sweep.space, PRESET, preset)
        for kind, settings in ((CONTROL, control), *((WARM, found) for found in sweep.warm_starts)):
            if settings != preset:
                enqueue(self._study, sweep.space, kind, settings)
        self._interrupted = [
            resumed(study, trial)
            for study in (self._study, self._repeats)
            if study is not None
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        ]

    def ask(self) -> optuna.Trial | None:
        """The next trial to start, or None: now, or, if none is running, for good."""
        trial = self._next()
        if trial is not None:
            self.running += 1
            self._started[trial.study.study_name, trial.number] = self._clock()
        return trial

    def parameters(self, trial: optuna.Trial) -> dict[str, Any]:
        """What a trial needs to run: number, folder, kind, settings, and the parts of its budget to report after."""
        kind = trial.user_attrs.get(KIND, SEARCH)
        return {
            "domain": self.sweep.domain,
            "number": trial.number,
            "run": self.folder(trial),
            KIND: kind,
            SETTINGS: choose(self.sweep.space, trial),
            "rungs": self.sweep.rungs if kind == SEARCH else (1.0,),  # what is given is never stopped early
        }

    def folder(self, trial: optuna.Trial) -> str:
        """The run directory of a trial."""
        return trial_folder(self.sweep.location.out, trial.study.study_name, trial.number)

    def record(self, trial: optuna.Trial, result: Mapping[str, Any]) -> None:
        """Record what a trial has measured so far."""
        step = round(result[PERCENT])
        if step in self._recorded(trial).intermediate_values:
            return  # Ray sends the last result twice, and an interrupted trial its first ones
        metrics = {name.removeprefix(MEASURED): result[name] for name in result if name.startswith(MEASURED)}
        trial.set_user_attr(METRICS, metrics)
        trial.set_user_attr(SECONDS, result["seconds"])
        if len(self.sweep.objectives) == 1:
            trial.report(self._values(metrics)[0], step)

    def is_poor(self, trial: optuna.Trial, result: Mapping[str, Any]) -> bool:
        """Whether the search would rather train others: of those searched that came this far, half are better.

        As ASHA decides, but from the journal, so that an interrupted sweep continues with the same marks. With several
        objectives, nothing is stopped.
        """
        step = round(result[PERCENT])
        if trial.user_attrs.get(KIND, SEARCH) != SEARCH or step >= DONE or len(self.sweep.objectives) > 1:
            return False
        searched = [each for each in self._study.get_trials(deepcopy=False) if KIND not in each.user_attrs]
        values = [each.intermediate_values[step] for each in searched if step in each.intermediate_values]
        return self._recorded(trial).intermediate_values[step] < median(values)

    def finish(self, trial: optuna.Trial, result: Mapping[str, Any] | None, failure: str = "") -> None:
        """Record how a trial ended: complete, stopped early, or failed with a reason.

        One that ran out of the sweep's time is left as it is: the same command resumes it.
        """
        self.running -= 1
        started = self._started.pop((trial.study.study_name, trial.number))
        if failure or not result:
            trial.set_user_attr(FAILURE, failure)
            trial.study.tell(trial, state=TrialState.FAIL)
        elif PERCENT in result:
            self.record(trial, result)
            if result[PERCENT] < DONE:
                trial.study.tell(trial, state=TrialState.PRUNED)
            else:
                self._wall_seconds.append(max(self._clock() - started, result["seconds"]))
                trial.study.tell(trial, self._values(trial.user_attrs[METRICS]))
        self._remove_losers(trial.study)

    def _open(self, name: str) -> Study:
        sweep, directions = self.sweep, [StudyDirection.MAXIMIZE] * len(self.sweep.objectives)
        known = load_study(self._storage, name)
        # By the domain, so that two differ, and by the known trials, so that a resumed search repeats none.
        words = f"{sweep.domain} {sweep.config.training.seed} {len(known.get_trials(deepcopy=False)) if known else 0}"
        seed, least = zlib.crc32(words.encode()), min(10, max(4, sweep.trials // 3))
        sampler = TPESampler(seed=seed, n_startup_trials=least, constant_liar=True)
        return optuna.create_study(
            study_name=name, storage=self._storage, directions=directions, sampler=sampler, load_if_exists=True
        )

    def _next(self) -> optuna.Trial | None:
        if self._interrupted:
            return self._interrupted.pop(0) if self._fits(0.0) else None
        known = read_trials(self._study, None)
        begun = sum(trial.state != "waiting" for trial in known)
        reserved = self._repeats_seconds() if begun >= LEAST_TRIALS else 0.0
        if begun < self.sweep.trials and self._fits(reserved):
            # The preset's metrics give the floors of the others; the control can't do without only in the report.
            waiting = [trial.kind for trial in known if trial.state == "waiting"]
            preset_ended = any(trial.kind == PRESET and trial.is_finished for trial in known)
            return self._study.ask() if preset_ended or waiting[:1] in ([PRESET], [CONTROL]) else None
        searching = any(name == self.sweep.domain for name, _ in self._started)
        return None if searching else self._next_repeat()

    def _next_repeat(self) -> optuna.Trial | None:
        best = best_trial(read_trials(self._study, read_floors(self._study)))
        if best is None or best.kind == PRESET or not self.sweep.repeats:
            return None
        self._repeats = self._repeats or self._open(repeats_of(self.sweep.domain))
        repeats, seed = self._repeats, self.sweep.config.training.seed
        for offset in range(1, self.sweep.repeats + 1):
            fresh = {"training.seed": seed + offset}
            enqueue(repeats, self.sweep.space, PRESET, self.sweep.preset | fresh)
            enqueue(repeats, self.sweep.space, WINNER, best.settings | fresh)
        waiting = repeats.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return repeats.ask() if waiting and self._fits(0.0) else None

    def _trial_seconds(self) -> float:
        return median(self._wall_seconds) * _SLACK if self._wall_seconds else self.sweep.trial_seconds

    def _repeats_seconds(self) -> float:
        return math.ceil(2 * self.sweep.repeats / self._at_once) * self._trial_seconds()

    def _fits(self, reserved: float) -> bool:
        """Whether a trial that starts now can finish before the deadline, and what comes after it, too."""
        return self._clock() + self._trial_seconds() + reserved <= self.sweep.deadline

    def _values(self, metrics: Mapping[str, float]) -> list[float]:
        values = objective_values(metrics, read_floors(self._study))
        return [values[name] for name in self.sweep.objectives]

    def _recorded(self, trial: optuna.Trial) -> FrozenTrial:
        return trial.study.get_trials(deepcopy=False)[trial.number]

    def _remove_losers(self, study: Study) -> None:
        """Keep the checkpoints of the best trial so far, of running trials and of all repeats; remove all others."""
        trials = read_trials(study, read_floors(self._study))
        best = best_trial(trials)
        for trial in trials if best and study is self._study else ():
            if trial.is_finished and trial is not best:
                checkpoints = join(trial_folder(self.sweep.location.out, study.study_name, trial.number), "checkpoints")
                if exists(checkpoints):
                    remove_folder(checkpoints)


def choose(space: Space, trial: optuna.Trial) -> dict[str, Any]:
    """A trial's settings, either enqueued or the sampler's choice."""
    settings: dict[str, Any] | None = trial.user_attrs.get(SETTINGS)
    if settings is None or is_within(space, settings):
        return {name: _suggest(trial, name, distribution) for name, distribution in space.searched.items()}
    return settings


def enqueue(study: Study, space: Space, kind: str, settings: dict[str, Any]) -> None:
    """Make the study's next trial one of these settings, unless they were enqueued before."""
    attributes = {KIND: kind, SETTINGS: settings}
    if any(attributes.items() <= trial.user_attrs.items() for trial in study.get_trials(deepcopy=False)):
        return
    study.enqueue_trial(settings if is_within(space, settings) else {}, user_attrs=attributes)


def _suggest(trial: optuna.Trial, name: str, distribution: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    suggest: Any = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
    return suggest(name, distribution.low, distribution.high, log=distribution.log)
