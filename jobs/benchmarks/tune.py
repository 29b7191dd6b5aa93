"""Sweeps against Optuna alone, without Ray, in one process on the same cores: what a trial costs beside its training.

Both sides train the same settings for the same seconds: of one domain, and of two side by side, which Optuna alone
searches one after the other. Beside the seconds of a trial stand the steps a second over the whole sweep.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
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
from s2v_ray.recipes.tune import SweepJob, plan_sweep, train_to_rungs
from s2v_ray.storage.paths import join
from s2v_ray.training.run import open_run
from s2v_ray.training.workers import ALONE
from s2v_ray.tuning.journal import open_journal
from s2v_ray.tuning.plan import DomainSweep
from s2v_ray.tuning.trials import Trial, load_study, read_trials

_MOST_SECONDS = 400.0  # of training, of a side and a domain; at least three trials


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `benchmark.py tune`."""
    parser.add_argument("--clips", help="prepared clips, instead of synthetic ones")
    parser.add_argument("--config", default="tiny", help="the preset or TOML file of all trials")
    parser.add_argument("--trials", type=int, default=6, help="of a domain; fewer of long ones")
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 30.0, 120.0], help="lengths of a trial")
    parser.add_argument("--domains", type=int, nargs="+", default=[1, 2], help="side by side")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """Seconds of a trial and steps a second, for each length and number of domains; and what starting Ray adds."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        clips = named_copies(Path(flags.clips or make_clips(home)), home / "domains", max(flags.domains))
        start = time.perf_counter()
        connect()
        start_seconds = time.perf_counter() - start
        for seconds in flags.seconds:
            trials = max(3, min(flags.trials, int(_MOST_SECONDS / seconds)))
            for domains in flags.domains:
                cell = home / f"{seconds:g} {domains}"
                job = unpruned(flags.config, clips[:domains], str(cell / "sweep"), trials, seconds)
                start = time.perf_counter()
                run_sweeps(job, show=lambda: None)
                ours = time.perf_counter() - start
                start = time.perf_counter()
                for sweep in job.domains:
                    optuna_alone(sweep, str(cell / "alone" / sweep.domain))
                alone = time.perf_counter() - start
                total = domains * trials
                name = f"{trials} trials of {seconds:g} s, {domains} domain{'s' * (domains > 1)}"
                yield Ratio(f"{name}: seconds per trial", ours / total, alone / total)
                yield Ratio(
                    f"{name}: the same, the start of Ray included", (start_seconds + ours) / total, alone / total
                )
                sides = [(cell / "sweep", ours), (cell / "alone", alone)]
                yield Ratio(f"{name}: steps per second", *(steps_below(path) / spent for path, spent in sides))


def named_copies(clips: Path, folder: Path, count: int) -> list[str]:
    """The same clips as several domains."""
    for number in range(count):
        shutil.copytree(clips, folder / f"domain{number}")
        index = folder / f"domain{number}" / "dataset.json"
        index.write_text(json.dumps(json.loads(index.read_text()) | {"domain": f"domain{number}"}))
    return [str(folder / f"domain{number}") for number in range(count)]


def unpruned(config: str, clips: Sequence[str], out: str, trials: int, seconds: float) -> SweepJob:
    """A sweep of which all trials are trained to the end, as many at once as there are domains."""
    job = plan_sweep(load_config(config), clips=clips, out=out, trials=trials, repeats=0, minutes=seconds / 60)
    domains = tuple(replace(sweep, rungs=(1.0,)) for sweep in job.domains)
    return replace(job, domains=domains, gpus_per_worker=0, max_concurrent=len(domains))


def optuna_alone(sweep: DomainSweep, home: str) -> None:
    """The same settings in Optuna's own loop, in this process."""
    trials: list[Trial] = read_trials(load_study(open_journal(sweep.location), sweep.domain), None)

    def objective(trial: optuna.Trial) -> float:
        metrics: dict[str, float] = {}
        run = join(home, str(trial.number))
        config = with_settings(sweep.config, trials[trial.number].settings)
        open_run(run, config)
        job = job_on(PreparedClips(sweep.clips), config, run)
        never = float("inf")
        train_to_rungs(job, sweep.rungs, never, ALONE, lambda location, values: metrics.update(values), lambda: False)
        return metrics["metrics/motion_explained"]

    study = optuna.create_study(direction="maximize")
    study.optimize(objective, n_trials=len(trials))


def steps_below(folder: Path) -> int:
    """The steps of all runs in a folder."""
    logs = folder.rglob("metrics.jsonl")
    return sum(json.loads(log.read_text().splitlines()[-1])["step"] for log in logs)
