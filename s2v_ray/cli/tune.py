"""`s2v tune`."""

from __future__ import annotations

from typing import Literal

from s2v_ray.errors import UserError


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
    """Find the best adversarial weights and learning rates for each domain. The same command resumes it.

    Args:
        clips: outputs of s2v prepare, one folder a domain.
        out: the folder or URI for the trials, the report, and best.toml for each domain.
        trials: how many settings to try for each domain, including the preset's own and the same without adversarial
            losses.
        config: the preset (tiny, stable, paper) or TOML file to improve on.
        space: a TOML file of what to search in addition or instead: { low = 1e-4, high = 1e-2, log = true },
            { choices = [1, 2] }, or one value to fix a setting.
        objectives: score (motion that the sound explains, with floors on sharpness and appearance), or both sync and
            appearance for a Pareto front.
        minutes: how long a trial trains; 5 if neither this nor --steps is given.
        steps: how many steps a trial trains.
        repeats: with how many other seeds the winner and the preset are trained again.
        time_budget: minutes after which the search starts no further trial; the repeats follow.
        max_concurrent: how many trials run at once, at most; by default as many as the cluster holds.
        workers_per_trial: processes that train one trial together.
        gpus_per_worker: GPUs of each, such as 0.5; by default one if there are enough.
        warm_start: earlier sweeps whose best settings are tried first.
        seed: of the search and of the trials' training.
        settings: any setting of the configuration as NAME=VALUE, for all trials.
    """
    from s2v_ray.cli.train import name_and_value, read_config
    from s2v_ray.cli.tune_progress import sweep_board
    from s2v_ray.cluster.sweeps import run_sweeps
    from s2v_ray.recipes.tune import open_sweep, plan_sweep
    from s2v_ray.storage.files import join
    from s2v_ray.tuning.report import write_report

    overrides = dict(name_and_value(setting) for setting in settings)
    fixed = [name for name in overrides if name.startswith("clips.")]
    if fixed:
        raise UserError(
            "fixed_setting", f"--{fixed[0]} can't be set: it is fixed by how the clips were prepared; prepare others."
        )
    job = plan_sweep(
        read_config(config, overrides | {"training.seed": str(seed)}),
        clips=clips,
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
    with open_sweep(job):
        with sweep_board(job.domains) as show:
            run_sweeps(job, show)
        findings = write_report(job.domains)
    for finding in findings:
        print(f"{finding.domain}: {finding.verdict}")
    print(f"See {join(out, 'report.html')}, or the trials with: optuna-dashboard {job.domains[0].location.journal}")
    for sweep, finding in zip(job.domains, findings, strict=True):
        if finding.best is not None:
            best, name = join(out, finding.domain, "best.toml"), finding.domain
            print(f"Next: s2v train --clips {sweep.clips} --config {best} --out runs/{name}-tuned")
