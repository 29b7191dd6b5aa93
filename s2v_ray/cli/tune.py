"""`s2v tune`."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from s2v_ray.config import Config, UserError, load_config

if TYPE_CHECKING:
    from s2v_ray.cluster.trial import DomainSweep
    from s2v_ray.config.space import Space

_DEFAULT_MINUTES = 5.0
_LEAST_TRIALS = 3  # preset, control, and one to try
# Early validations of short trials would take most of their time.
_SHORT_MINUTES, _SHORT_STEPS = 3.0, 500
_RUNGS, _SHORT_RUNGS = (0.25, 0.5, 1.0), (0.5, 1.0)
_NEVER = 10**9


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
        out: the folder for the trials, the report, and best.toml for each domain.
        trials: how many settings to try for each domain, the preset's own and its twin without adversarial losses among
            them.
        config: the preset (tiny, paper) or TOML file to improve on.
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
    from s2v_ray.cluster.sweep import run_sweeps
    from s2v_ray.config.space import with_settings
    from s2v_ray.evaluation.sweeps.report import write_report
    from s2v_ray.media.storage import absolute, is_uri

    if is_uri(out):
        raise UserError(f"--out '{out}' is a URI, but a sweep is written to local or mounted folders only.")
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
    home = Path(absolute(out))
    sweeps = [
        plan_domain(
            location,
            home,
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
    with only_one(home):
        keep_to_description(home, sweeps, clips)
        with SweepBoard(sweeps) as board:
            run_sweeps(
                sweeps,
                workers=workers_per_trial,
                gpus_per_worker=gpus_per_worker,
                max_concurrent=max_concurrent,
                show=board,
            )
        final = with_settings(base_config(config, settings, seed), searched.fixed)
        findings = write_report(home, {sweep.domain: (sweep.space, final) for sweep in sweeps}, objectives)
    for finding in findings:
        print(f"{finding.domain}: {finding.told}")
    print(f"Look at {out}/report.html, or at the trials with: optuna-dashboard {out}/journal.log")
    for location, finding in zip(clips, findings, strict=True):
        if finding.best is not None:
            name = finding.domain
            print(f"Next: s2v train --clips {location} --config {out}/{name}/best.toml --out runs/{name}-tuned")


def check_numbers(**numbers: tuple[int | None, int]) -> None:
    """Raise UserError by its flag for a number below its least."""
    for name, (value, least) in numbers.items():
        if value is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')} is {value}, but must be at least {least}.")


def base_config(config: str, settings: tuple[str, ...], seed: int) -> Config:
    """What the sweep improves on, with the dotted settings."""
    from s2v_ray.cli.train import name_and_value

    overrides = dict(name_and_value(setting) for setting in settings)
    fixed = [name for name in overrides if name.startswith("clips.")]
    if fixed:
        raise UserError(f"--{fixed[0]} can't be set: the clips are as they were prepared; prepare others instead.")
    return load_config(config, overrides | {"training.seed": str(seed)})


def trial_config(
    config: str, settings: tuple[str, ...], space: str | None, seed: int, minutes: float | None, steps: int | None
) -> tuple[Config, Space]:
    """The configuration of every trial, with its budget, and what is searched."""
    from s2v_ray.config.space import load_space, with_settings

    loaded = base_config(config, settings, seed)
    searched = load_space(space, loaded)
    loaded = with_settings(loaded, searched.fixed)
    budget = {
        "training.steps": steps or _NEVER,
        "training.minutes": minutes or (0.0 if steps else _DEFAULT_MINUTES),
        "training.validate_every_steps": _NEVER,  # at the rungs only
        "training.keep_checkpoints": 1,
    }
    return with_settings(loaded, budget), searched


def plan_domain(
    location: str,
    home: Path,
    base: Config,
    space: Space,
    *,
    objectives: tuple[str, ...],
    trials: int,
    repeats: int,
    warm_start: tuple[str, ...],
    deadline: float,
) -> DomainSweep:
    """The sweep over one folder of clips. Raises UserError where it can't be trained or validated on."""
    from s2v_ray.cli.train import check_clips, check_model
    from s2v_ray.cli.tune_worker import trial_loop
    from s2v_ray.clips.dataset import read_dataset
    from s2v_ray.clips.reader import ClipReader
    from s2v_ray.cluster.trial import DomainSweep
    from s2v_ray.evaluation.sweeps.trials import best_settings
    from s2v_ray.media.storage import absolute
    from s2v_ray.training.run import config_for_clips

    clip_settings, description = read_dataset(location)
    domain = description["domain"]
    if not domain or "/" in domain or domain.startswith("."):
        raise UserError(f"'{location}' is of the domain '{domain}', which is no name for a folder; prepare it again.")
    check_clips(location, {})
    if not len(ClipReader(location, "val")):
        raise UserError(f"'{location}' has no clips in its split 'val' to compare settings on; prepare more videos.")
    resolved = config_for_clips(base, clip_settings)
    check_model(resolved)
    training = resolved.training
    short = training.steps < _SHORT_STEPS or 0 < training.minutes < _SHORT_MINUTES
    return DomainSweep(
        domain=domain,
        out=home,
        config=resolved,
        space=space,
        loop=partial(trial_loop, absolute(location)),
        objectives=objectives,
        trials=trials,
        repeats=repeats,
        rungs=_SHORT_RUNGS if short else _RUNGS,
        warm_starts=tuple(found for sweep in warm_start for found in best_settings(Path(absolute(sweep)), domain)),
        deadline=deadline,
    )


def keep_to_description(home: Path, sweeps: list[DomainSweep], clips: tuple[str, ...]) -> None:
    """Write what the sweep is; where it began already, see first that it is the same. Raises UserError by name."""
    from optuna.distributions import distribution_to_json

    from s2v_ray.clips.reader import ClipReader
    from s2v_ray.config.load import differing_names
    from s2v_ray.media.storage import write_bytes

    path = home / "sweep.json"
    before: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    common = replace(sweeps[0].config, clips=Config().clips)
    space = sweeps[0].space
    prints = {sweep.domain: ClipReader(place, "train").fingerprint for sweep, place in zip(sweeps, clips, strict=True)}
    ours = {
        "config": json.loads(json.dumps(asdict(common))),
        "space": {name: distribution_to_json(space.searched[name]) for name in space.searched},
        "objectives": list(sweeps[0].objectives),
        "clips": {**before.get("clips", {}), **prints},
    }
    if before:
        # Other domains may join it.
        names = differing_names(before, ours | {"clips": {name: ours["clips"][name] for name in before["clips"]}})
        if names:
            raise UserError(
                f"'{home}' is a sweep with other settings ({', '.join(names)}); "
                "give the same ones to go on with it, or another --out."
            )
    write_bytes(path, json.dumps(ours, indent=2).encode())


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Raise UserError where another process runs this sweep; the lock ends with the process."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"The sweep in '{home}' is running already; wait for it or give another --out.") from None
        yield
