"""Sweeps: one Ray Tune search a domain, side by side.

A trial of several workers is a Ray Train run; a trial of one trains in its own process, which goes on with the next
trial. Their journal is the only record. A domain's search is a task that can be run again at any time: it does what the
journal lacks.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import ray
import torch
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import TrialState
from ray import tune
from ray.train import TrainingFailedError
from ray.train.v2.api.config import ScalingConfig
from ray.tune.integration.ray_train import TuneReportCallback
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

from s2v_ray.cluster.search import DONE, PERCENT, JournalSearch, give
from s2v_ray.cluster.start import connect
from s2v_ray.cluster.train import WorkerLoop, reason_of, train_on_workers
from s2v_ray.config import Config, UserError
from s2v_ray.config.space import ADVERSARIAL_WEIGHTS, Space, get_setting, with_settings
from s2v_ray.evaluation.objective import OBJECTIVES, Floors
from s2v_ray.evaluation.sweeps.trials import (
    CONTROL,
    FAILURE,
    KIND,
    PRESET,
    SEARCH,
    SETTINGS,
    WARM,
    WINNER,
    best_trial,
    open_storage,
    read_floors,
    read_trials,
    repeats_of,
    trial_folder,
)
from s2v_ray.media.storage import write_bytes
from s2v_ray.training.run import open_run
from s2v_ray.training.workers import Workers

# What trains one trial: of this configuration, in this folder, reporting at these parts of its clock.
TrialLoop = Callable[[Config, Path, tuple[float, ...], Floors | None], WorkerLoop]

_FAILURE_FILE = "failure.txt"
_WORKER_RESTARTS, _TRIAL_RESTARTS, _DOMAIN_RESTARTS = 3, 2, 3
_CPUS_TO_WATCH = 0.01  # the workers of a trial, from a process of their own
_CPUS_FOR_WORKERS = 0.97
_LEAST_CPUS_A_WORKER = 0.1
_HALVING = 2


@dataclass(frozen=True)
class DomainSweep:
    """What to do for one domain: `trials` in all, then winner and preset again with `repeats` seeds each.

    `config` is the preset with the clips and the budget of a trial; `rungs` are the parts of it at which ASHA compares.
    """

    domain: str
    out: Path
    config: Config
    space: Space
    loop: TrialLoop
    objectives: tuple[str, ...]
    trials: int
    repeats: int
    rungs: tuple[float, ...]
    warm_starts: tuple[dict[str, Any], ...] = ()
    deadline: float = float("inf")

    @property
    def preset(self) -> dict[str, Any]:
        """The preset's own values of what is searched."""
        return {name: get_setting(self.config, name) for name in self.space.searched}


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
    waiting, running = list(sweeps), set[Any]()
    while waiting or running:
        while waiting and len(running) < domains_at_once:
            running.add(_run_domain.remote(waiting.pop(0), at_once // domains_at_once, scaling))
        ended, _ = ray.wait(list(running), timeout=1.0)
        ray.get(ended)
        running -= set(ended)
        show()


def places(
    resources: Mapping[str, float], workers: int, gpus_per_worker: float | None, max_concurrent: int | None
) -> tuple[int, ScalingConfig]:
    """How many trials run at once in a cluster of these resources, and what to ask for each.

    A worker has a CPU, or an equal part where there are fewer, and `gpus_per_worker` GPUs: by default one where there
    are enough. Raises UserError where not even one trial fits.
    """
    cpus, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    gpus_each = float(gpus >= workers) if gpus_per_worker is None else gpus_per_worker
    if gpus < gpus_each * workers:
        raise UserError(
            f"A trial of {workers} workers with --gpus-per-worker {gpus_each:g} needs {gpus_each * workers:g} GPUs, "
            f"but the cluster has {gpus:g}; use fewer workers, a fraction of a GPU, or --gpus-per-worker 0."
        )
    if cpus < _LEAST_CPUS_A_WORKER * workers:
        raise UserError(f"A trial of {workers} workers does not fit into a cluster of {cpus:g} CPUs; use fewer.")
    fitting = int(gpus / (gpus_each * workers) + 1e-6) if gpus_each else int(cpus / workers)
    at_once = max(1, min(fitting, max_concurrent or fitting))
    cpus_each = min(1.0, _CPUS_FOR_WORKERS * cpus / (at_once * workers))
    each = {"CPU": cpus_each} | ({"GPU": gpus_each} if gpus_each else {})
    return at_once, ScalingConfig(num_workers=workers, use_gpu=gpus_each > 0, resources_per_worker=each)


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
    unfinished = len(repeats.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING)))
    finished = len(repeats.trials) - unfinished
    _run_trials(sweep, repeats, floors, finished + unfinished, at_once=at_once, scaling=scaling)


def _open_study(sweep: DomainSweep, name: str) -> Study:
    return optuna.create_study(
        study_name=name,
        storage=open_storage(sweep.out),
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
    rays_own = sweep.out / ".ray" / name
    shutil.rmtree(rays_own, ignore_errors=True)
    folder = partial(trial_folder, sweep.out, name)
    ended = partial(_remove_losers, sweep.out, name, floors)
    search = JournalSearch(
        sweep.space,
        study_name=name,
        storage=open_storage(sweep.out),
        objectives=sweep.objectives,
        sampler=_sampler(sweep, len(known)),
        deadline=deadline,
        failure_of=partial(_read_failure, folder),
        ended=ended,
    )
    several = len(sweep.objectives) > 1  # Optuna prunes by one objective only

    def trial(params: dict[str, Any]) -> None:
        _run_trial(sweep, folder(params["number"]), floors, scaling, params)

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
    """Seeded by how many trials there are, so that a search that goes on doesn't draw the same again."""
    seed = hash((sweep.config.training.seed, known)) % 2**32
    return TPESampler(seed=seed, n_startup_trials=min(10, max(4, sweep.trials // 3)), constant_liar=True)


def _run_trial(
    sweep: DomainSweep, run: Path, floors: Floors | None, scaling: ScalingConfig, params: Mapping[str, Any]
) -> None:
    """Train one trial, from its last checkpoint where it has one. What is given is trained to the end: it reports there
    only, where ASHA stops nothing.

    Where it fails, the reason is written down. What a training refuses, as a loss that is not finite, is reported, and
    the process goes on with the next trial; it ends with anything else, and Ray's next tries are over at once.
    """
    if (run / _FAILURE_FILE).exists():
        raise UserError((run / _FAILURE_FILE).read_text(encoding="utf-8"))
    rungs = sweep.rungs if params[KIND] == SEARCH else (1.0,)
    try:
        config = with_settings(sweep.config, params[SETTINGS])
        open_run(run, config)
        _train(sweep.loop(config, run, rungs, floors), run, scaling)
    except Exception as error:
        write_bytes(run / _FAILURE_FILE, reason_of(error).encode())
        if not isinstance(error, UserError | TrainingFailedError):
            raise
        tune.report(dict.fromkeys(OBJECTIVES, float("-inf")) | {PERCENT: 0.0, FAILURE: True})


def _train(loop: WorkerLoop, run: Path, scaling: ScalingConfig) -> None:
    """In this process, or by several workers."""
    number: Any = scaling.num_workers
    if number == 1:
        loop(Workers(device=_own_device()), lambda location, values: tune.report(values), lambda: False)
        return
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")  # how often reports are fetched
    train_on_workers(
        loop,
        workers=(number, number),
        device="auto",
        run=run,
        max_failures=_WORKER_RESTARTS,
        scaling_config=scaling,
        callbacks=[TuneReportCallback()],
    )


def _own_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _read_failure(folder: Callable[[int], Path], number: int) -> str:
    path = folder(number) / _FAILURE_FILE
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _remove_losers(out: Path, name: str, floors: Floors | None) -> None:
    """Keep the checkpoints of the best trial so far and of those that run, and of all repeats."""
    trials = read_trials(_load(out, name), floors)
    best = best_trial(trials)
    for trial in trials:
        if trial.is_finished and trial is not best and trial.kind != WINNER and "training.seed" not in trial.settings:
            shutil.rmtree(trial_folder(out, name, trial.number) / "checkpoints", ignore_errors=True)


def _load(out: Path, name: str) -> Study:
    return optuna.load_study(study_name=name, storage=open_storage(out))
