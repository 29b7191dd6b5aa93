"""`s2v tune`."""

from __future__ import annotations

import shlex
from typing import Literal

from s2v_ray.cli.flags import Location, Settings
from s2v_ray.cli.next_command import command
from s2v_ray.cli.result import Result
from s2v_ray.cli.track import Track
from s2v_ray.config import with_settings
from s2v_ray.dataset.collection import find_data_sets
from s2v_ray.storage.own_folders import SWEEP, check_output_folder
from s2v_ray.tracking.tracker import TENSORBOARD


def tune(
    *,
    config: Settings,
    clips: tuple[Location, ...],
    clip_weights: tuple[float, ...] = (),
    out: Location,
    trials: int | None = None,
    space: Location | None = None,
    objectives: tuple[Literal["score", "sync", "appearance"], ...] = ("score",),
    minutes: float | None = None,
    steps: int | None = None,
    repeats: int = 3,
    time_budget: float | None = None,
    max_concurrent: int | None = None,
    workers_per_trial: int = 1,
    gpus_per_worker: float | None = None,
    warm_start: tuple[Location, ...] = (),
    track: Track = (TENSORBOARD,),
    seed: int = 0,
) -> Result:
    """Find the best adversarial weights and learning rates of each domain. The same command resumes it.

    Args:
        config: the settings of all trials.
        clips: what s2v prepare wrote: folders, globs or URIs. Those of one domain are trained on together.
        clip_weights: how often clips are drawn from each of --clips beside the others of its domain; by default each
            clip equally often.
        out: the folder or URI for the trials, the report, and best.toml for each domain.
        trials: how many settings to try for each domain, including the preset's own and its control without adversarial
            losses; 20 by default, or as many as --time-budget allows.
        space: a TOML file that adds settings to search or changes their range: { low = 1e-4, high = 1e-2, log = true },
            { choices = [1, 2] }, or one value to fix a setting.
        objectives: score (motion that the sound explains, with floors on sharpness and appearance), or both of sync and
            appearance for a Pareto front.
        minutes: how long a trial trains; 5 if neither this nor --steps is given, or as --time-budget allows.
        steps: how many steps a trial trains.
        repeats: how many fresh seeds the winner and the preset are each trained again with.
        time_budget: minutes for all of it, repeats and report included: no trial starts that would not finish in time.
            Without --trials, their number and length are chosen by what a step costs here.
        max_concurrent: the most trials that run at once; by default as many as the cluster can hold.
        workers_per_trial: processes that train one trial together.
        gpus_per_worker: GPUs for each of these processes, such as 0.5; by default one if there are enough.
        warm_start: earlier sweeps, whose best settings are tried first.
        track: where to follow the trials: tensorboard (event files in their folders), wandb (a group), mlflow (runs
            inside the sweep's own), or several; nothing is sent to one that isn't named.
        seed: seed for the search and for the training of all trials.
    """
    from s2v_ray.cli.tune_progress import sweep_board
    from s2v_ray.cluster.sweeps import find_best, measure_trials
    from s2v_ray.recipes.tune import fit_to_budget, plan_sweep
    from s2v_ray.storage.paths import join

    weights = {"training.clip_weights": clip_weights} if clip_weights else {}
    job = plan_sweep(
        with_settings(config, {"training.seed": seed, **weights}),
        clips=find_data_sets(clips),
        out=out,
        trials=trials,
        repeats=repeats,
        objectives=objectives,
        space=space,
        minutes=minutes,
        steps=steps,
        time_budget=time_budget,
        max_concurrent=max_concurrent,
        workers_per_trial=workers_per_trial,
        gpus_per_worker=gpus_per_worker,
        warm_start=warm_start,
    )
    check_output_folder(out, "--out", SWEEP)
    if time_budget and trials is None:
        job = fit_to_budget(job, 60 * time_budget, measure_trials, steps=steps, minutes=minutes)
        if job.choice:
            print(job.choice.why, flush=True)
    findings = find_best(job, track, sweep_board, print)
    for finding in findings:
        print(f"{finding.domain}: {finding.verdict}")
    dashboard = shlex.join(["optuna-dashboard", str(job.domains[0].location.journal)])
    print(f"See {join(out, 'report.html')}, or the trials with: {dashboard}")
    result: Result = {"outputs": {"report": join(out, "report.html")}, "next": [], "domains": {}}
    for sweep, finding in zip(job.domains, findings, strict=True):
        found = result["domains"][finding.domain] = {"verdict": finding.verdict, "is_gain": finding.is_gain}
        found |= {"trials": len(finding.trials), "repeats": len(finding.repeats), "best": None}
        if finding.best is not None:
            best = join(out, finding.domain, "best.toml")
            run = f"runs/{finding.domain}-tuned"
            following = command("train", clips=sweep.clips, config=best, out=run)
            print(f"Next: {following}")
            result["next"].append(following)
            result["outputs"][finding.domain] = best
            shown = {name: getattr(finding.best, name) for name in ("number", "score", "settings")}
            found["best"] = {**shown, "config": best}
    return result
