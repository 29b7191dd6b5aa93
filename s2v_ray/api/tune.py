"""`s2v_ray.tune`: the best settings of each domain, found on Ray."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from os import PathLike
from types import MappingProxyType
from typing import Literal

from s2v_ray.api.inputs import Path, Paths, data_sets, location, locations, naming_arguments, resolved_config, trackers
from s2v_ray.api.progress import progress_bar
from s2v_ray.config import Config
from s2v_ray.errors import in_names
from s2v_ray.recipes.tune import fit_to_budget, plan_sweep
from s2v_ray.storage.own_folders import SWEEP, check_output_folder
from s2v_ray.storage.paths import join
from s2v_ray.tracking.tracker import TENSORBOARD
from s2v_ray.tuning.journal import open_journal
from s2v_ray.tuning.plan import DomainSweep
from s2v_ray.tuning.trials import load_study, read_trials, repeats_of
from s2v_ray.tuning.verdict import Finding

_SECONDS_BETWEEN_READS = 2.0
_LOG = logging.getLogger("s2v_ray")
_NO_SETTINGS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class Tuned:
    """What a sweep found for one domain.

    `config` is the path of best.toml, which `train` takes, None where no trial was complete; `settings` and `score` are
    the best trial's; `finding` has all trials.
    """

    domain: str
    config: str | None
    settings: Mapping[str, object]
    score: float | None
    is_gain: bool
    verdict: str
    finding: Finding


@naming_arguments()
def tune(
    clips: Paths,
    out: Path,
    *,
    config: str | PathLike[str] | Config = "tiny",
    settings: Mapping[str, object] = _NO_SETTINGS,
    clip_weights: Sequence[float] = (),
    trials: int | None = None,
    space: Path | None = None,
    objectives: Sequence[Literal["score", "sync", "appearance"]] = ("score",),
    minutes: float | None = None,
    steps: int | None = None,
    repeats: int = 3,
    time_budget: float | None = None,
    max_concurrent: int | None = None,
    workers_per_trial: int = 1,
    gpus_per_worker: float | None = None,
    warm_start: Paths = (),
    track: str | Sequence[str] = TENSORBOARD,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Tuned]:
    """Find the best adversarial weights and learning rates of each domain, on Ray. The same call resumes it.

    Args:
        clips: what `prepare` wrote; those of one domain are trained on together.
        out: the folder or URI for the trials, the report, and best.toml for each domain.
        config: a preset, a TOML file, or a `Config`: the settings of all trials.
        settings: what to change of it, by dotted names.
        clip_weights: how often clips are drawn from each of `clips` beside the others of its domain.
        trials: how many settings to try for each domain; 20 by default, or as many as `time_budget` allows.
        space: a TOML file that adds settings to search or changes their range; see `s2v help tune`.
        objectives: score, or both of sync and appearance for a Pareto front.
        minutes: how long a trial trains; 5 if neither this nor `steps` is given.
        steps: how many steps a trial trains.
        repeats: how many fresh seeds the winner and the preset are each trained again with.
        time_budget: minutes for all of it, repeats and report included.
        max_concurrent: the most trials that run at once.
        workers_per_trial: processes that train one trial together.
        gpus_per_worker: GPUs for each of these processes, such as 0.5.
        warm_start: earlier sweeps, whose best settings are tried first.
        track: where to follow the trials: tensorboard (event files in their folders), wandb, mlflow, or several.
        seed: seed for the search and for the training of all trials.
        progress: whether to show progress.

    Returns what was found, by domain; report.html is in `out`. Raises UserError for settings out of range, clips that
    can't be trained on, an `out` that holds something else, and where the cluster can't hold a trial.
    """
    from s2v_ray.cluster.sweeps import find_best, measure_trials  # load Ray

    where, followed = location(out, "--out"), trackers(track)
    weights = tuple(clip_weights) or None
    job = plan_sweep(
        resolved_config(config, {**settings, "training.seed": seed, "training.clip_weights": weights}),
        clips=data_sets(clips),
        out=where,
        trials=trials,
        repeats=repeats,
        objectives=tuple(objectives),
        space=location(space, "--space") if space else None,
        minutes=minutes,
        steps=steps,
        time_budget=time_budget,
        max_concurrent=max_concurrent,
        workers_per_trial=workers_per_trial,
        gpus_per_worker=gpus_per_worker,
        warm_start=locations(warm_start, "--warm-start"),
    )
    check_output_folder(where, "--out", SWEEP)
    if time_budget and trials is None:
        job = fit_to_budget(job, 60 * time_budget, measure_trials, steps=steps, minutes=minutes)
        if job.choice:
            _LOG.warning(in_names(job.choice.why))
    findings = find_best(job, followed, partial(_board, shown=progress), _LOG.warning)
    return {finding.domain: _tuned(where, finding) for finding in findings}


def _tuned(out: str, finding: Finding) -> Tuned:
    best = finding.best
    config = None if best is None else join(out, finding.domain, "best.toml")
    settings, score = (best.settings, best.score) if best else ({}, None)
    return Tuned(finding.domain, config, settings, score, finding.is_gain, finding.verdict, finding)


@contextmanager
def _board(sweeps: Sequence[DomainSweep], *, shown: bool) -> Iterator[Callable[[], None]]:
    """Yields what shows, when called and not too often, how many trials the journal has."""
    storage, read_at = open_journal(sweeps[0].location), 0.0
    total = sum(sweep.trials + 2 * sweep.repeats for sweep in sweeps)
    names = [name for sweep in sweeps for name in (sweep.domain, repeats_of(sweep.domain))]

    with progress_bar("tuning", shown=shown) as show:

        def update() -> None:
            nonlocal read_at
            if time.monotonic() - read_at < _SECONDS_BETWEEN_READS:
                return
            read_at = time.monotonic()
            done = sum(trial.is_finished for name in names for trial in read_trials(load_study(storage, name), None))
            show(done / total, f"{done} of {total} trials")

        yield update
