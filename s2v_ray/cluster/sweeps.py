"""Sweeps: one Ray Tune search per domain, side by side.

A trial with several workers is a Ray Train run; one with a single worker trains in its trial's process, which Ray
reuses for later trials. The journal is the only record, so a domain's search is a task that can restart at any time: it
does whatever the journal lacks.
"""

import contextlib
import logging
import os
import shutil
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import ray
from optuna.samplers import TPESampler
from optuna.study import Study
from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from s2v_ray.cluster.connect import connect
from s2v_ray.cluster.ray_internals import ScalingConfig
from s2v_ray.cluster.resources import trial_resources
from s2v_ray.cluster.search import DONE, PERCENT, JournalSearch, enqueue
from s2v_ray.cluster.trial import run_trial
from s2v_ray.recipes.tune import SweepJob
from s2v_ray.storage.files import exists, remove_folder
from s2v_ray.storage.paths import join
from s2v_ray.tuning.journal import open_journal
from s2v_ray.tuning.objective import Floors
from s2v_ray.tuning.plan import DomainSweep
from s2v_ray.tuning.space import ADVERSARIAL_WEIGHTS
from s2v_ray.tuning.trials import (
    CONTROL,
    PRESET,
    WARM,
    WINNER,
    best_trial,
    read_floors,
    read_trials,
    repeats_of,
    trial_folder,
)

_TRIAL_RESTARTS, _DOMAIN_RESTARTS = 2, 3
_CPUS_TO_SUPERVISE = 0.01  # a trial's process whose workers are a Ray Train run
_REDUCTION_FACTOR = 2


def run_sweeps(job: SweepJob, show: Callable[[], None]) -> None:
    """Run its searches side by side, as far as the cluster's resources allow, calling `show` about once a second.

    Raises UserError if the cluster can't hold a trial.
    """
    connect()
    at_once, scaling = trial_resources(ray.cluster_resources(), job.workers, job.gpus_per_worker, job.max_concurrent)
    domains_at_once = min(at_once, len(job.domains))
    # The journal is a file on this machine if the sweep is in an object store.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    run_domain = _run_domain.options(scheduling_strategy=here)
    waiting, running = list(job.domains), set[Any]()
    while waiting or running:
        while waiting and len(running) < domains_at_once:
            running.add(run_domain.remote(waiting.pop(0), at_once // domains_at_once, scaling))
        done, _ = ray.wait(list(running), timeout=1.0)
        ray.get(done)
        running -= set(done)
        show()


@ray.remote(num_cpus=0, max_retries=_DOMAIN_RESTARTS)
def _run_domain(sweep: DomainSweep, at_once: int, scaling: ScalingConfig) -> None:
    """First the preset, whose metrics give the floors of all others; then the search; then the repeats."""
    study, preset = _open_study(sweep, sweep.domain), sweep.preset
    enqueue(study, sweep.space, PRESET, preset)
    _run_trials(sweep, study, None, 1, at_once=1, scaling=scaling)
    floors = read_floors(study)
    control = preset | dict.fromkeys(ADVERSARIAL_WEIGHTS, 0.0)
    for kind, settings in ((CONTROL, control), *((WARM, found) for found in sweep.warm_starts)):
        if settings != preset:
            enqueue(study, sweep.space, kind, settings)
    _run_trials(sweep, study, floors, sweep.trials, at_once=at_once, scaling=scaling, deadline=sweep.deadline)
    best = best_trial(read_trials(study, floors))
    if best is None or best.kind == PRESET or not sweep.repeats:
        return
    repeats = _open_study(sweep, repeats_of(sweep.domain))
    for offset in range(1, sweep.repeats + 1):
        seed = {"training.seed": sweep.config.training.seed + offset}
        enqueue(repeats, sweep.space, PRESET, preset | seed)
        enqueue(repeats, sweep.space, WINNER, best.settings | seed)
    _run_trials(sweep, repeats, floors, len(repeats.trials), at_once=at_once, scaling=scaling)


def _open_study(sweep: DomainSweep, name: str) -> Study:
    storage, count = open_journal(sweep.location), len(sweep.objectives)
    return optuna.create_study(study_name=name, storage=storage, directions=["maximize"] * count, load_if_exists=True)


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
    """Run trials until `trials` of the study are finished, or the deadline has passed."""
    name, known = study.study_name, read_trials(study, floors)
    missing = trials - sum(trial.is_finished for trial in known)
    if missing <= 0:
        return
    ray_folder = sweep.location.local / ".ray" / name
    shutil.rmtree(ray_folder, ignore_errors=True)
    folder = partial(trial_folder, sweep.location.out, name)
    clean = partial(_remove_losers, study, folder, floors)
    search = JournalSearch(
        sweep.space,
        study_name=name,
        storage=open_journal(sweep.location),
        objectives=sweep.objectives,
        sampler=_sampler(sweep, len(known)),
        deadline=deadline,
        folder=folder,
        finished=clean,
    )
    scheduler: TrialScheduler = FIFOScheduler()
    if len(sweep.objectives) == 1:  # Optuna prunes by one only
        scheduler = ASHAScheduler(
            time_attr=PERCENT,
            metric=sweep.objectives[0],
            mode="max",
            max_t=round(DONE),
            grace_period=round(DONE * sweep.rungs[0]),
            reduction_factor=_REDUCTION_FACTOR,
            stop_last_trials=False,
        )

    def trial(params: dict[str, Any]) -> None:
        run_trial(sweep, folder(params["number"]), floors, scaling, params)

    # Ray registers trainables by name for all Tuners of a job: with equal names, one search would run the other's.
    trial.__name__ = name
    alone = scaling.num_workers == 1
    asked: Any = scaling.resources_per_worker if alone else {"CPU": _CPUS_TO_SUPERVISE}
    tuner = tune.Tuner(
        tune.with_resources(trial, asked),
        tune_config=tune.TuneConfig(
            num_samples=missing,
            max_concurrent_trials=at_once,
            search_alg=search,
            scheduler=scheduler,
            reuse_actors=alone,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=ray_folder.name,
            storage_path=str(ray_folder.parent),
            failure_config=tune.FailureConfig(max_failures=_TRIAL_RESTARTS),
            verbose=0,
        ),
    )
    # The sweep reports trials and failures itself.
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        tuner.fit()
    clean()  # a stopped trial may have been writing still
    shutil.rmtree(ray_folder, ignore_errors=True)


def _sampler(sweep: DomainSweep, known: int) -> TPESampler:
    """Seeded by the domain, so that two differ, and by the known trials, so that a resumed search repeats none."""
    seed = zlib.crc32(f"{sweep.domain} {sweep.config.training.seed} {known}".encode())
    return TPESampler(seed=seed, n_startup_trials=min(10, max(4, sweep.trials // 3)), constant_liar=True)


def _remove_losers(study: Study, folder: Callable[[int], str], floors: Floors | None) -> None:
    """Keep the checkpoints of the best trial so far, of running trials and of all repeats; remove all others."""
    trials = read_trials(study, floors)
    best = best_trial(trials)
    for trial in trials if best else ():
        if trial.is_finished and trial is not best and trial.kind != WINNER and "training.seed" not in trial.settings:
            checkpoints = join(folder(trial.number), "checkpoints")
            if exists(checkpoints):
                remove_folder(checkpoints)
