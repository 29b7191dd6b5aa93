"""One trial of a sweep: a training in this process, or by several workers under Ray Train."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from ray import tune
from ray.train import TrainingFailedError
from ray.tune.integration.ray_train import TuneReportCallback

from s2v_ray.cluster.ray_internals import ScalingConfig
from s2v_ray.cluster.search import FAILED, FAILURE_FILE, read_failure
from s2v_ray.cluster.training import WorkerLoop, reason_of, train_on_workers
from s2v_ray.config import with_settings
from s2v_ray.errors import UserError
from s2v_ray.recipes.train import PreparedClips, job_on
from s2v_ray.recipes.tune import train_to_rungs, trial_tracking
from s2v_ray.storage.files import write_bytes
from s2v_ray.storage.paths import join
from s2v_ray.training.run import open_run
from s2v_ray.training.workers import Workers
from s2v_ray.tuning.plan import DomainSweep
from s2v_ray.tuning.trials import KIND, SETTINGS

_WORKER_RESTARTS = 3


def run_trial(sweep: DomainSweep, scaling: ScalingConfig, params: Mapping[str, Any]) -> None:
    """Train one trial with the `params` of `DomainSearch.parameters`, from its last checkpoint if it has one.

    If it fails, the reason is written to its folder. A UserError, such as a loss that is not finite, is reported, and
    the process continues with the next trial; any other error ends the process, and Ray's retries fail at once.
    """
    run, rungs, deadline = params["run"], params["rungs"], sweep.deadline
    if failure := read_failure(run):
        raise UserError("trial_failed", failure)
    try:
        config = with_settings(sweep.config, params[SETTINGS])
        open_run(run, config)
        tracking = trial_tracking(sweep, config, run, params[KIND])
        job = job_on(PreparedClips(sweep.clips), config, run, skip_damaged=True, tracking=tracking)
        _train(partial(train_to_rungs, job, rungs, deadline), run, scaling)
    except Exception as error:
        write_bytes(join(run, FAILURE_FILE), reason_of(error).encode())
        if not isinstance(error, UserError | TrainingFailedError):
            raise
        tune.report({FAILED: True})


def _train(loop: WorkerLoop, run: str, scaling: ScalingConfig) -> None:
    """In this process, or by several workers."""
    number: Any = scaling.num_workers
    if number == 1:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        loop(Workers(device=device), lambda location, values: tune.report(values), lambda: False)
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
