"""Sweeps: one Ray Tune search a domain, side by side.

A trial of several workers is a Ray Train run; a trial of one trains in its own process, which goes on with the next
trial. Their journal is the only record. A domain's search is a task that can be run again at any time: it does what the
journal lacks.
"""

import contextlib
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import ray
from optuna.samplers import TPESampler
from optuna.study import Study
from ray import tune
from ray.train.v2.api.config import ScalingConfig
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from s2v_ray.cluster.connect import connect
from s2v_ray.cluster.resources import places
from s2v_ray.cluster.search import DONE, PERCENT, JournalSearch, give
from s2v_ray.cluster.trial import DomainSweep, read_failure, run_trial
from s2v_ray.storage.files import exists, remove_folder
from s2v_ray.storage.paths import join
from s2v_ray.tuning.journal import SweepPlace, open_journal
from s2v_ray.tuning.objective import Floors
from s2v_ray.tuning.space import ADVERSARIAL_WEIGHTS
from s2v_ray.tuning.trials import (
    CONTROL,
    PRESET,
    WARM,
    WINNER,
    best_trial,
    load_study,
    read_floors,
    read_trials,
    repeats_of,
    trial_folder,
)

_TRIAL_RESTARTS, _DOMAIN_RESTARTS = 2, 3
_CPUS_TO_WATCH = 0.01  # the workers of a trial, from a process of their own
_HALVING = 2


def run_sweeps(
    sweeps: Sequence[DomainSweep],
    *,
    workers: int,
    gpus_per_worker: float | None,
    max_concurrent: int | None,
    show: Callable[[], None],
) -> None:
    """Run them side by side, as the cluster's resources allow, calling `show` about once a second.

    Raises UserError where the cluster can't hold a trial.
    """
    connect()
    at_once, scaling = places(ray.cluster_resources(), workers, gpus_per_worker, max_concurrent)
    domains_at_once = min(at_once, len(sweeps))
    # The journal is a file of this machine, where the sweep lies in an object store.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    run_domain = _run_domain.options(scheduling_strategy=here)
    waiting, running = list(sweeps), set[Any]()
    while waiting or running:
        while waiting and len(running) < domains_at_once:
            running.add(run_domain.remote(waiting.pop(0), at_once // domains_at_once, scaling))
        ended, _ = ray.wait(list(running), timeout=1.0)
        ray.get(ended)
        running -= set(ended)
        show()


@ray.remote(num_cpus=0, max_retries=_DOMAIN_RESTARTS)
def _run_domain(sweep: DomainSweep, at_once: int, scaling: ScalingConfig) -> None:
    """First the preset, whose scores are the floors of all others; then the search; then the repeats."""
    study, preset = _open_study(sweep, sweep.domain), sweep.preset
    give(study, sweep.space, PRESET, preset)
    _run_trials(sweep, study, None, 1, at_once=1, scaling=scaling)
    floors = read_floors(study)
    control = preset | dict.fromkeys(ADVERSARIAL_WEIGHTS, 0.0)
    if control != preset:
        give(study, sweep.space, CONTROL, control)
    for settings in sweep.warm_starts:
        if settings != preset:
            give(study, sweep.space, WARM, settings)
    _run_trials(sweep, study, floors, sweep.trials, at_once=at_once, scaling=scaling, deadline=sweep.deadline)
    best = best_trial(read_trials(study, floors))
    if best is None or best.kind == PRESET or not sweep.repeats:
        return
    repeats = _open_study(sweep, repeats_of(sweep.domain))
    for more in range(1, sweep.repeats + 1):
        seed = {"training.seed": sweep.config.training.seed + more}
        give(repeats, sweep.space, PRESET, preset | seed)
        give(repeats, sweep.space, WINNER, best.settings | seed)
    _run_trials(sweep, repeats, floors, len(repeats.trials), at_once=at_once, scaling=scaling)


def _open_study(sweep: DomainSweep, name: str) -> Study:
    return optuna.create_study(
        study_name=name,
        storage=open_journal(sweep.place),
        directions=["maximize"] * len(sweep.objectives),
        load_if_exists=True,
    )


def _run_trials(
    sweep: DomainSweep,
    study: Study,
    floors: Floors | None,
    trials: int,
    *,
    at_once: int,
    scaling: ScalingConfig,
    deadline: float = float("inf"),
) -> None:
    """Run trials until the study has so many that are finished, or the time is over."""
    name, known = study.study_name, read_trials(study, floors)
    missing = trials - sum(trial.is_finished for trial in known)
    if missing <= 0:
        return
    rays_own = sweep.place.local / ".ray" / name
    shutil.rmtree(rays_own, ignore_errors=True)
    folder = partial(trial_folder, sweep.place.out, name)
    ended = partial(_remove_losers, sweep.place, name, floors)
    search = JournalSearch(
        sweep.space,
        study_name=name,
        storage=open_journal(sweep.place),
        objectives=sweep.objectives,
        sampler=_sampler(sweep, len(known)),
        deadline=deadline,
        failure_of=partial(read_failure, folder),
        ended=ended,
    )
    several = len(sweep.objectives) > 1  # Optuna prunes by one objective only

    def trial(params: dict[str, Any]) -> None:
        run_trial(sweep, folder(params["number"]), floors, scaling, params)

    # Ray keeps trainables by their names, one for all Tuners of a job: of two alike, each would run the other's.
    trial.__name__ = name
    alone = scaling.num_workers == 1
    asked: Any = scaling.resources_per_worker if alone else {"CPU": _CPUS_TO_WATCH}
    tuner = tune.Tuner(
        tune.with_resources(trial, asked),
        tune_config=tune.TuneConfig(
            num_samples=missing,
            max_concurrent_trials=at_once,
            search_alg=search,
            scheduler=FIFOScheduler() if several else _asha(sweep),
            reuse_actors=alone,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=rays_own.name,
            storage_path=str(rays_own.parent),
            failure_config=tune.FailureConfig(max_failures=_TRIAL_RESTARTS),
            verbose=0,
        ),
    )
    # The sweep tells of trials and failures in its own words.
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        tuner.fit()
    ended()  # a trial that was stopped may have been writing still
    shutil.rmtree(rays_own, ignore_errors=True)


def _asha(sweep: DomainSweep) -> ASHAScheduler:
    return ASHAScheduler(
        time_attr=PERCENT,
        metric=sweep.objectives[0],
        mode="max",
        max_t=round(DONE),
        grace_period=round(DONE * sweep.rungs[0]),
        reduction_factor=_HALVING,
        stop_last_trials=False,
    )


def _sampler(sweep: DomainSweep, known: int) -> TPESampler:
    """Seeded by the domain, as two should not draw the same, and by the trials there are, to draw none again."""
    seed = zlib.crc32(f"{sweep.domain} {sweep.config.training.seed} {known}".encode())
    return TPESampler(seed=seed, n_startup_trials=min(10, max(4, sweep.trials // 3)), constant_liar=True)


def _remove_losers(place: SweepPlace, name: str, floors: Floors | None) -> None:
    """Keep the checkpoints of the best trial so far and of those that run, and of all repeats."""
    trials = read_trials(load_study(open_journal(place), name), floors)
    best = best_trial(trials)
    for trial in trials if best else ():
        if trial.is_finished and trial is not best and trial.kind != WINNER and "training.seed" not in trial.settings:
            checkpoints = join(trial_folder(place.out, name, trial.number), "checkpoints")
            if exists(checkpoints):
                remove_folder(checkpoints)
