"""What a sweep does for each domain, and `sweep.json`, which keeps later starts of it the same."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from optuna.distributions import distribution_to_json

from s2v_ray.config import Config, config_from_dict, with_settings
from s2v_ray.config.load import differing_names, upgraded
from s2v_ray.dataset.collection import DataSets
from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists, read_bytes, write_bytes
from s2v_ray.storage.paths import join
from s2v_ray.tracking.track import Tracking
from s2v_ray.tuning.journal import SweepLocation
from s2v_ray.tuning.space import Space, get_setting

_DEFAULT_MINUTES = 5.0
LEAST_TRIALS = 3  # preset, control, and one to search
# Validations of short trials would take most of their time.
_SHORT_MINUTES, _SHORT_STEPS = 3.0, 500
# In parts of the time with discriminators: before, what is searched has had no effect.
_RUNGS, _SHORT_RUNGS = (0.3, 0.6), (0.5,)
_NEVER = 10**9


@dataclass(frozen=True)
class DomainSweep:
    """The sweep over one domain: `trials` in all, then winner and preset repeated with `repeats` fresh seeds each.

    The winner's settings change `preset_config`; `config` has the clips and a trial's budget, too. Trials are compared
    at the fractions `rungs` of that budget. All ends by `deadline`, in seconds since 1970; until a trial has ended, one
    is expected to take `trial_seconds`.
    """

    domain: str
    clips: DataSets
    fingerprint: str  # of the clips
    location: SweepLocation
    preset_config: Config
    config: Config
    space: Space
    objectives: tuple[str, ...]
    trials: int
    repeats: int
    rungs: tuple[float, ...]
    warm_starts: tuple[dict[str, Any], ...] = ()
    deadline: float = float("inf")
    trial_seconds: float = 0.0
    tracking: Tracking | None = None  # of the sweep as a whole

    @property
    def preset(self) -> dict[str, Any]:
        """The preset's own values of the searched settings."""
        return {name: get_setting(self.config, name) for name in self.space.searched}


def trial_config(config: Config, *, minutes: float | None, steps: int | None) -> Config:
    """`config` with a trial's budget, 5 minutes by default."""
    budget = {
        "training.steps": steps or _NEVER,
        "training.minutes": minutes or (0.0 if steps else _DEFAULT_MINUTES),
        "training.validate_every_steps": _NEVER,  # at the rungs only
        "training.keep_checkpoints": 1,
    }
    return with_settings(config, budget)


def rungs_of(config: Config) -> tuple[float, ...]:
    """The fractions of a trial's budget at which it is validated and compared.

    None is before the discriminators have acted for three tenths of their part (in short trials, half of it): most of
    what is searched acts through them.
    """
    training, start = config.training, config.loss.discriminator_start
    short = training.steps < _SHORT_STEPS or 0 < training.minutes < _SHORT_MINUTES
    parts = _SHORT_RUNGS if short else _RUNGS
    return (*(round(start + part * (1 - start), 2) for part in parts if start < 1), 1.0)


@dataclass(frozen=True)
class SweepDescription:
    """What `sweep.json` holds: `config` is without the clips' own settings, which differ between domains."""

    config: Config
    space: dict[str, str]  # each searched setting's distribution, as Optuna's JSON
    objectives: tuple[str, ...]
    clips: dict[str, str]  # the fingerprint of each domain's clips

    @classmethod
    def from_json(cls, text: str, where: str) -> "SweepDescription":
        """The description of this text. Raises UserError, naming `where`, for settings that don't exist."""
        values: Mapping[str, Any] = json.loads(text)
        config = config_from_dict(upgraded(values["config"]), where)
        return cls(config, values["space"], tuple(values["objectives"]), values["clips"])


def describe(sweeps: tuple[DomainSweep, ...]) -> SweepDescription:
    """The description of a sweep over these domains."""
    first = sweeps[0]
    return SweepDescription(
        config=replace(first.config, clips=Config().clips),
        space={name: distribution_to_json(found) for name, found in first.space.searched.items()},
        objectives=first.objectives,
        clips={sweep.domain: sweep.fingerprint for sweep in sweeps},
    )


def keep_description(out: str, ours: SweepDescription) -> None:
    """Write `sweep.json`. Raises UserError if the sweep was started with other settings; domains may be added."""
    path = join(out, "sweep.json")
    if exists(path):
        earlier = SweepDescription.from_json(read_bytes(path).decode(errors="replace"), path)
        ours = replace(ours, clips=earlier.clips | ours.clips)
        comparable = replace(ours, clips={domain: ours.clips[domain] for domain in earlier.clips})
        names = differing_names(asdict(earlier), asdict(comparable))
        if names:
            raise UserError(
                "wrong_settings",
                f"'{out}' is a sweep with other settings ({', '.join(names)}); "
                "use the same ones to resume it, or another --out.",
            )
    write_bytes(path, json.dumps(asdict(ours), indent=2).encode())
