"""Sweeps: one Ray Tune run over the trials of all domains.

A trial with several workers is a Ray Train run; one with a single worker trains in its trial's process. Ray reuses
that for later trials of any domain: to start one takes as long as dozens of steps. The journal is the only record, so a
sweep can be killed at any time: started again, it does whatever the journal lacks.
"""

import contextlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayTaskError

from s2v_ray.cluster.connect import connect
from s2v_ray.cluster.resources import trial_resources
from s2v_ray.cluster.search import Rungs, SweepSearch
from s2v_ray.cluster.trial import run_trial
from s2v_ray.logs import library_level
from s2v_ray.recipes.tune import SweepJob, measure_trial, open_sweep, track_sweep_report, tracked_sweep
from s2v_ray.tuning.budget import TrialCost
from s2v_ray.tuning.plan import DomainSweep
from s2v_ray.tuning.report import write_report
from s2v_ray.tuning.search import DomainSearch
from s2v_ray.tuning.verdict import Finding

_TRIAL_RESTARTS = 2
_CPUS_TO_SUPERVISE = 0.01  # a trial's process whose workers are a Ray Train run


def measure_trials(job: SweepJob) -> tuple[int, list[TrialCost]]:
    """How many trials the cluster runs at once, and what a step of each domain costs with the resources of one."""
    connect()
    at_once, scaling = trial_resources(ray.cluster_resources(), job.workers, job.gpus_per_worker, job.max_concurrent)
    each: Any = scaling.resources_per_worker
    measure = ray.remote(measure_trial).options(num_cpus=each["CPU"], num_gpus=each.get("GPU", 0))
    try:
        return at_once, ray.get([measure.remote(sweep) for sweep in job.domains])
    except RayTaskError as error:
        raise error.cause from None


def find_best(
    job: SweepJob,
    track: Sequence[str],
    board: Callable[[Sequence[DomainSweep]], AbstractContextManager[Callable[[], None]]],
    tell: Callable[[str], None],
) -> list[Finding]:
    """Run a sweep, or the rest of it, followed by the trackers in `track`, and write what it found.

    `board` shows its trials while it runs; `tell` gets what trackers say at the end. Raises UserError as `run_sweeps`,
    `open_sweep` and `tracked_sweep`.
    """
    with open_sweep(job):
        job = tracked_sweep(job, track)
        with board(job.domains) as show:
            run_sweeps(job, show)
        findings = write_report(job.domains)
        track_sweep_report(job, tell)
    return findings


def run_sweeps(job: SweepJob, show: Callable[[], None]) -> None:
    """Run its searches side by side, as far as the cluster's resources allow, calling `show` a few times a second.

    Raises UserError if the cluster can't hold a trial.
    """
    connect()
    at_once, scaling = trial_resources(ray.cluster_resources(), job.workers, job.gpus_per_worker, job.max_concurrent)
    each = max(1, at_once // len(job.domains))
    search = SweepSearch([DomainSearch(sweep, each) for sweep in job.domains])
    sweeps = {sweep.domain: sweep for sweep in job.domains}

    def s2v_trial(params: dict[str, Any]) -> None:
        run_trial(sweeps[params["domain"]], scaling, params)

    ray_folder = job.domains[0].location.local / ".ray"
    shutil.rmtree(ray_folder, ignore_errors=True)
    alone = scaling.num_workers == 1
    asked: Any = scaling.resources_per_worker if alone else {"CPU": _CPUS_TO_SUPERVISE}
    # The sweep reports trials and failures itself, and an interrupt ends it.
    os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "TUNE_DISABLE_SIGINT_HANDLER": "1"}
    logging.getLogger("ray.tune").setLevel(library_level(logging.CRITICAL))
    tuner = tune.Tuner(
        tune.with_resources(s2v_trial, asked),
        tune_config=tune.TuneConfig(
            num_samples=-1,  # the search says when it is finished
            max_concurrent_trials=at_once,
            search_alg=search,
            scheduler=Rungs(search),
            reuse_actors=alone,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=ray_folder.name,
            storage_path=str(ray_folder.parent),
            failure_config=tune.FailureConfig(max_failures=_TRIAL_RESTARTS),
            callbacks=[_Shown(show)],
            verbose=0,
        ),
    )
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):  # Tune's own table
        tuner.fit()
    shutil.rmtree(ray_folder, ignore_errors=True)


class _Shown(tune.Callback):
    def __init__(self, show: Callable[[], None]) -> None:
        self._show, self._stdout = show, sys.stdout

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray would pickle the screen, too."""
        return {}

    def on_step_end(self, iteration: int, trials: Any, **_: Any) -> None:
        with contextlib.redirect_stdout(self._stdout):
            self._show()
