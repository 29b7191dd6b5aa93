"""One trial of a sweep: a training in this process, or by several workers under Ray Train."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from ray import tune
from ray.train import TrainingFailedError
from ray.train.v2.api.config import ScalingConfig
from ray.tune.integration.ray_train import TuneReportCallback

from s2v_ray.cluster.search import PERCENT
from s2v_ray.cluster.training import WorkerLoop, reason_of, train_on_workers
from s2v_ray.config import Config
from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists, read_bytes, write_bytes
from s2v_ray.storage.paths import join
from s2v_ray.training.run import open_run
from s2v_ray.training.workers import Workers
from s2v_ray.tuning.journal import SweepPlace
from s2v_ray.tuning.objective import OBJECTIVES, Floors
from s2v_ray.tuning.space import Space, get_setting, with_settings
from s2v_ray.tuning.trials import FAILURE, KIND, SEARCH, SETTINGS

# What trains one trial: of this configuration, in this folder, reporting at these parts of its clock.
TrialLoop = Callable[[Config, str, tuple[float, ...], Floors | None], WorkerLoop]

_FAILURE_FILE = "failure.txt"
_WORKER_RESTARTS = 3


@dataclass(frozen=True)
class DomainSweep:
    """What to do for one domain: `trials` in all, then winner and preset again with `repeats` seeds each.

    `config` is the preset with the clips and the budget of a trial; `rungs` are the parts of it at which ASHA compares.
    """

    domain: str
    place: SweepPlace
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


def run_trial(
    sweep: DomainSweep, run: str, floors: Floors | None, scaling: ScalingConfig, params: Mapping[str, Any]
) -> None:
    """Train one trial, from its last checkpoint where it has one. What is given is trained to the end: it reports there
    only, where ASHA stops nothing.

    Where it fails, the reason is written down. What a training refuses, as a loss that is not finite, is reported, and
    the process goes on with the next trial; it ends with anything else, and Ray's next tries are over at once.
    """
    if failure := _failure(run):
        raise UserError(failure)
    rungs = sweep.rungs if params[KIND] == SEARCH else (1.0,)
    try:
        config = with_settings(sweep.config, params[SETTINGS])
        open_run(run, config)
        _train(sweep.loop(config, run, rungs, floors), run, scaling)
    except Exception as error:
        write_bytes(join(run, _FAILURE_FILE), reason_of(error).encode())
        if not isinstance(error, UserError | TrainingFailedError):
            raise
        tune.report(dict.fromkeys(OBJECTIVES, float("-inf")) | {PERCENT: 0.0, FAILURE: True})


def _train(loop: WorkerLoop, run: str, scaling: ScalingConfig) -> None:
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


def read_failure(folder: Callable[[int], str], number: int) -> str:
    """Why a trial failed, by its number; "" where it says nothing."""
    return _failure(folder(number))


def _failure(run: str) -> str:
    path = join(run, _FAILURE_FILE)
    return read_bytes(path).decode() if exists(path) else ""
