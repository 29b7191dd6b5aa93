"""What a sweep searches: settings by dotted name, each with a range, choices or a fixed value."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from s2v_ray.config.load import config_from_dict
from s2v_ray.config.schema import Config
from s2v_ray.errors import UserError
from s2v_ray.tuning.optuna_internals import contains

ADVERSARIAL_WEIGHTS = ("loss.adversarial_image_weight", "loss.adversarial_video_weight")
_LEARNING_RATES = ("optim.generator_lr", "optim.image_discriminator_lr", "optim.video_discriminator_lr")
# From a tenth to ten times, and from a quarter to four times: the edges seldom train well.
_WEIGHTS_FACTOR, _RATES_FACTOR = 10.0, 4.0
_WEIGHT = 0.01  # the centre if the configuration has weight 0
# What a sweep itself sets for all trials.
_SWEEPS_OWN = {
    "training.steps": "--steps",
    "training.minutes": "--minutes",
    "training.seed": "--seed",
    "training.validate_every_steps": "its rungs",
    "training.keep_checkpoints": "itself",
}
_RANGE_KEYS = {"low", "high", "log"}
_FORMS = "give { low = 1e-4, high = 1e-2, log = true }, { choices = [1, 2] } or one value"


@dataclass(frozen=True)
class Space:
    """The searched settings with their distributions, and those fixed for all trials."""

    searched: dict[str, BaseDistribution]
    fixed: dict[str, Any] = field(default_factory=dict)


def default_space(config: Config) -> Space:
    """The adversarial weights and the three learning rates, on a log scale around the configuration's own."""
    weights = {name: _about(get_setting(config, name) or _WEIGHT, _WEIGHTS_FACTOR) for name in ADVERSARIAL_WEIGHTS}
    rates = {name: _about(get_setting(config, name), _RATES_FACTOR) for name in _LEARNING_RATES}
    return Space({**weights, **rates})


def load_space(path: str | None, config: Config) -> Space:
    """The default space around `config`, with a TOML file's settings added, changed or fixed.

    The file is laid out as a configuration; a setting is `{ low = 1e-4, high = 1e-2, log = true }`,
    `{ choices = [1, 2] }`, or one value, which fixes it.

    Raises UserError by name for a setting that is unknown, of a wrong type or out of range, and if nothing is searched.
    """
    default = default_space(config)
    if path is None:
        return default
    searched, fixed = dict(default.searched), dict(default.fixed)
    for name, entry in _settings(Path(path)):
        searched.pop(name, None)
        if isinstance(entry, Mapping):
            searched[name] = _distribution(entry, name, path)
        else:
            check_setting(name, entry, path)
            fixed[name] = entry
    if not searched:
        raise UserError("nothing_searched", f"{path} fixes every setting; omit one or give it a range to search.")
    return Space(searched, fixed)


def with_settings(config: Config, settings: Mapping[str, Any], where: str = "the sweep") -> Config:
    """`config` with plain values by dotted name. Raises UserError by name."""
    values: dict[str, Any] = asdict(config)
    for name, value in settings.items():
        section, _, key = name.partition(".")
        values[section] = {**values.get(section, {}), key: value}
    return config_from_dict(values, where)


def get_setting(config: Config, name: str) -> Any:
    """A setting by dotted name."""
    section, _, key = name.partition(".")
    return getattr(getattr(config, section), key)


def is_within(space: Space, settings: Mapping[str, Any]) -> bool:
    """Whether the space contains these settings, so that the search learns from them."""
    return settings.keys() == space.searched.keys() and all(
        contains(space.searched[name], value) for name, value in settings.items()
    )


def _about(value: float, factor: float) -> FloatDistribution:
    return FloatDistribution(float(f"{value / factor:.6g}"), float(f"{value * factor:.6g}"), log=True)


def _settings(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("not_found", f"There is no space file '{path}'; check --space.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError("not_toml", f"{path} is not a TOML file: {error}.") from None
    for section, entries in sections.items():
        if not isinstance(entries, Mapping):
            config_from_dict({section: {}}, str(path))  # names an unknown section
            raise UserError("wrong_type", f"{path}: '{section}' must be a table of settings, but is {entries!r}.")
        for key, entry in entries.items():
            yield f"{section}.{key}", entry


def check_setting(name: str, value: Any, where: str) -> None:
    """Raise UserError by name if there is no such setting, it can't have this value, or the sweep itself sets it."""
    section, _, key = name.partition(".")
    config_from_dict({section: {key: value}}, where)
    if section == "clips":
        raise UserError(
            "fixed_setting", f"{where}: {name} can't be searched: it is fixed by how the clips were prepared."
        )
    if name in _SWEEPS_OWN:
        raise UserError(
            "fixed_setting", f"{where}: {name} can't be searched or fixed: the sweep sets it by {_SWEEPS_OWN[name]}."
        )


def _distribution(entry: Mapping[str, Any], name: str, where: str) -> BaseDistribution:
    if set(entry) == {"choices"} and isinstance(entry["choices"], list) and entry["choices"]:
        for choice in entry["choices"]:
            check_setting(name, choice, where)
            if isinstance(choice, list):
                raise UserError(
                    "wrong_type", f"{where}: {name} is a list, which can't be searched; fix it with one value."
                )
        return CategoricalDistribution(entry["choices"])
    low, high, log = entry.get("low"), entry.get("high"), entry.get("log", False)
    if not set(entry) <= _RANGE_KEYS or low is None or high is None or not isinstance(log, bool):
        if not _known(name):
            check_setting(name, 0, where)  # names the closest one
        raise UserError("wrong_range", f"{where}: {name} is {dict(entry)!r}, but must be searchable: {_FORMS}.")
    for bound in (low, high):
        check_setting(name, bound, where)
    if isinstance(low, bool | str) or isinstance(high, bool | str):
        raise UserError("wrong_range", f"{where}: {name} has no range; give choices = [{low!r}, {high!r}].")
    if low >= high or (log and low <= 0):
        rule = "low must be above 0 on a log scale" if low < high else "low must be below high"
        raise UserError("wrong_range", f"{where}: {name} goes from {low:g} to {high:g}, but {rule}.")
    if isinstance(get_setting(Config(), name), int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _known(name: str) -> bool:
    section, _, key = name.partition(".")
    return hasattr(getattr(Config(), section, None), key)
