"""What `s2v tune` is to do: the configuration of its trials, and a plan for each domain."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from s2v_ray.config import Config
from s2v_ray.errors import UserError

if TYPE_CHECKING:
    from s2v_ray.cluster.trial import DomainSweep
    from s2v_ray.tuning.journal import SweepPlace
    from s2v_ray.tuning.space import Space

_DEFAULT_MINUTES = 5.0
# Early validations of short trials would take most of their time.
_SHORT_MINUTES, _SHORT_STEPS = 3.0, 500
_RUNGS, _SHORT_RUNGS = (0.25, 0.5, 1.0), (0.5, 1.0)
_NEVER = 10**9


def base_config(config: str, settings: tuple[str, ...], seed: int) -> Config:
    """What the sweep improves on, with the dotted settings."""
    from s2v_ray.cli.train import name_and_value, read_config

    overrides = dict(name_and_value(setting) for setting in settings)
    fixed = [name for name in overrides if name.startswith("clips.")]
    if fixed:
        raise UserError(f"--{fixed[0]} can't be set: the clips are as they were prepared; prepare others instead.")
    return read_config(config, overrides | {"training.seed": str(seed)})


def trial_config(
    config: str, settings: tuple[str, ...], space: str | None, seed: int, minutes: float | None, steps: int | None
) -> tuple[Config, Space]:
    """The configuration of every trial, with its budget, and what is searched."""
    from s2v_ray.tuning.space import load_space, with_settings

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
    place: SweepPlace,
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
    from s2v_ray.cluster.trial import DomainSweep
    from s2v_ray.dataset.index import read_dataset
    from s2v_ray.dataset.reader import ClipReader
    from s2v_ray.recipes.tune_worker import trial_loop
    from s2v_ray.storage.paths import absolute
    from s2v_ray.training.run import config_for_clips
    from s2v_ray.tuning.trials import best_settings

    info = read_dataset(location)
    domain = info.domain
    if not domain or "/" in domain or domain.startswith("."):
        raise UserError(f"'{location}' is of the domain '{domain}', which is no name for a folder; prepare it again.")
    check_clips(location, {})
    if not len(ClipReader(location, "val")):
        raise UserError(f"'{location}' has no clips in its split 'val' to compare settings on; prepare more videos.")
    resolved = config_for_clips(base, info.settings)
    check_model(resolved)
    training = resolved.training
    short = training.steps < _SHORT_STEPS or 0 < training.minutes < _SHORT_MINUTES
    return DomainSweep(
        domain=domain,
        place=place,
        config=resolved,
        space=space,
        loop=partial(trial_loop, absolute(location)),
        objectives=objectives,
        trials=trials,
        repeats=repeats,
        rungs=_SHORT_RUNGS if short else _RUNGS,
        warm_starts=tuple(found for sweep in warm_start for found in best_settings(absolute(sweep), domain)),
        deadline=deadline,
    )


def keep_to_description(out: str, sweeps: list[DomainSweep], clips: tuple[str, ...]) -> None:
    """Write what the sweep is; where it began already, see first that it is the same. Raises UserError by name."""
    from optuna.distributions import distribution_to_json

    from s2v_ray.config.load import differing_names
    from s2v_ray.dataset.reader import ClipReader
    from s2v_ray.storage.files import exists, read_bytes, write_bytes
    from s2v_ray.storage.paths import join

    path = join(out, "sweep.json")
    before: dict[str, Any] = json.loads(read_bytes(path)) if exists(path) else {}
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
                f"'{out}' is a sweep with other settings ({', '.join(names)}); "
                "give the same ones to go on with it, or another --out."
            )
    write_bytes(path, json.dumps(ours, indent=2).encode())
