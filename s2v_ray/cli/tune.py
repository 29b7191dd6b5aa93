"""`s2v tune`."""

from __future__ import annotations

import time
from typing import Literal

from s2v_ray.errors import UserError

_LEAST_TRIALS = 3  # preset, control, and one to try


def tune(
    *,
    clips: tuple[str, ...],
    out: str,
    trials: int = 20,
    config: str = "tiny",
    space: str | None = None,
    objectives: tuple[Literal["score", "sync", "appearance"], ...] = ("score",),
    minutes: float | None = None,
    steps: int | None = None,
    repeats: int = 3,
    time_budget: float | None = None,
    max_concurrent: int | None = None,
    workers_per_trial: int = 1,
    gpus_per_worker: float | None = None,
    warm_start: tuple[str, ...] = (),
    seed: int = 0,
    settings: tuple[str, ...] = (),
) -> None:
    """Find the best adversarial weights and learning rates of each domain. The same command goes on with it.

    Args:
        clips: what s2v prepare wrote, one folder a domain.
        out: the folder or URI for the trials, the report, and best.toml for each domain.
        trials: how many settings to try for each domain, the preset's own and its twin without adversarial losses among
            them.
        config: the preset (tiny, stable, paper) or TOML file to improve on.
        space: a TOML file of what to search besides or instead: { low = 1e-4, high = 1e-2, log = true },
            { choices = [1, 2] }, or one value to fix a setting.
        objectives: score (motion that the sound explains, with floors on sharpness and appearance), or both of sync and
            appearance for a Pareto front.
        minutes: how long a trial trains; 5 where neither this nor --steps is given.
        steps: how many steps a trial trains.
        repeats: with how many other seeds the winner and the preset are trained again.
        time_budget: minutes after which the search begins no further trial; the repeats follow.
        max_concurrent: how many trials run at once, at most; by default as many as the cluster holds.
        workers_per_trial: processes that train one trial together.
        gpus_per_worker: GPUs of each, such as 0.5; by default one where there are enough.
        warm_start: earlier sweeps whose best settings are tried first.
        seed: of the search and of the trials' training.
        settings: any setting of the configuration as NAME=VALUE, for all trials.
    """
    from s2v_ray.cli.tune_progress import SweepBoard
    from s2v_ray.cluster.sweeps import run_sweeps
    from s2v_ray.recipes.tune_plan import base_config, keep_to_description, plan_domain, trial_config
    from s2v_ray.storage.lock import lock
    from s2v_ray.storage.paths import join
    from s2v_ray.tuning.journal import fetch_journal, sweep_place
    from s2v_ray.tuning.report import write_report
    from s2v_ray.tuning.space import with_settings

    check_numbers(
        trials=(trials, _LEAST_TRIALS),
        repeats=(repeats, 0),
        steps=(steps, 1),
        max_concurrent=(max_concurrent, 1),
        workers_per_trial=(workers_per_trial, 1),
        seed=(seed, 0),
    )
    for name, value in (("minutes", minutes), ("time-budget", time_budget), ("gpus-per-worker", gpus_per_worker)):
        if value is not None and (value < 0 or (value == 0 and name != "gpus-per-worker")):
            raise UserError(f"--{name} is {value:g}, but must be above 0; leave it out for the default.")
    if gpus_per_worker and gpus_per_worker % 1 and workers_per_trial > 1:
        raise UserError(
            f"--gpus-per-worker is {gpus_per_worker:g}, but several workers of a trial need whole GPUs each (NCCL); "
            "use --workers-per-trial 1."
        )
    if len(set(objectives)) < len(objectives):
        raise UserError(f"--objectives names one twice ({' '.join(objectives)}); name each once.")
    base, searched = trial_config(config, settings, space, seed, minutes, steps)
    place = sweep_place(out)
    sweeps = [
        plan_domain(
            location,
            place,
            base,
            searched,
            objectives=objectives,
            trials=trials,
            repeats=repeats,
            warm_start=warm_start,
            deadline=time.time() + 60 * time_budget if time_budget else float("inf"),
        )
        for location in clips
    ]
    names = [sweep.domain for sweep in sweeps]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"Two of --clips are of the domain '{name}'; prepare one of them with another --domain.")
    with lock(out, place.local):
        fetch_journal(place)
        keep_to_description(place.out, sweeps, clips)
        with SweepBoard(sweeps) as board:
            run_sweeps(
                sweeps,
                workers=workers_per_trial,
                gpus_per_worker=gpus_per_worker,
                max_concurrent=max_concurrent,
                show=board,
            )
        final = with_settings(base_config(config, settings, seed), searched.fixed)
        findings = write_report(place, {sweep.domain: (sweep.space, final) for sweep in sweeps}, objectives)
    for finding in findings:
        print(f"{finding.domain}: {finding.told}")
    print(f"Look at {join(out, 'report.html')}, or at the trials with: optuna-dashboard {place.journal}")
    for location, finding in zip(clips, findings, strict=True):
        if finding.best is not None:
            name = finding.domain
            print(f"Next: s2v train --clips {location} --config {join(out, name, 'best.toml')} --out runs/{name}-tuned")


def check_numbers(**numbers: tuple[int | None, int]) -> None:
    """Raise UserError by its flag for a number below its least."""
    for name, (value, least) in numbers.items():
        if value is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')} is {value}, but must be at least {least}.")
