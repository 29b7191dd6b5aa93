"""A sweep against Optuna alone, sequentially and without Ray, with the same trials: Ray's cost per trial.

Both train one trial at a time, with one thread.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import torch

from benchmarks.measuring import Ratio
from benchmarks.train_case import make_clips
from s2v_ray.cluster.connect import connect
from s2v_ray.cluster.sweeps import run_sweeps
from s2v_ray.config import load_config, with_settings
from s2v_ray.recipes.train import PreparedClips, job_on
from s2v_ray.recipes.tune import plan_sweep, train_to_rungs
from s2v_ray.storage.paths import join
from s2v_ray.training.run import open_run
from s2v_ray.training.workers import ALONE
from s2v_ray.tuning.journal import open_journal
from s2v_ray.tuning.plan import DomainSweep
from s2v_ray.tuning.trials import Trial, load_study, read_floors, read_trials


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `benchmark.py tune`."""
    parser.add_argument("--clips", help="prepared clips, instead of synthetic ones")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--steps", type=int, default=40, help="length of a trial")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """Seconds per trial through Ray against Optuna alone, without and with the start of Ray."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        clips = str(Path(flags.clips or make_clips(home)).absolute())
        job = plan_sweep(
            load_config("tiny"),
            clips=[clips],
            out=str(home / "sweep"),
            trials=flags.trials,
            repeats=0,
            steps=flags.steps,
        )
        # Without rungs, so that both sides train to the end.
        sweep = replace(job.domains[0], rungs=(1.0,))
        job = replace(job, domains=(sweep,), gpus_per_worker=0, max_concurrent=1)
        start = time.perf_counter()
        connect()
        start_seconds = time.perf_counter() - start
        start = time.perf_counter()
        run_sweeps(job, show=lambda: None)
        ours = time.perf_counter() - start
        study = load_study(open_journal(sweep.location), sweep.domain)
        trials = read_trials(study, read_floors(study))
        start = time.perf_counter()
        optuna_alone(sweep, trials, str(home / "alone"))
        alone = time.perf_counter() - start
    number = len(trials)
    yield Ratio(f"seconds of a trial of {flags.steps} steps, against Optuna alone", ours / number, alone / number)
    yield Ratio("the same, the start of Ray included", (start_seconds + ours) / number, alone / number)


def optuna_alone(sweep: DomainSweep, trials: list[Trial], home: str) -> None:
    """The same settings in Optuna's own loop, in this process."""

    def objective(trial: optuna.Trial) -> float:
        metrics: dict[str, float] = {}
        run = join(home, str(trial.number))
        config = with_settings(sweep.config, trials[trial.number].settings)
        open_run(run, config)
        job = job_on(PreparedClips(sweep.clips), config, run)
        train_to_rungs(job, sweep.rungs, None, ALONE, lambda location, values: metrics.update(values), lambda: False)
        return metrics["score"]

    study = optuna.create_study(direction="maximize")
    study.optimize(objective, n_trials=len(trials))
