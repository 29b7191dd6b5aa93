"""What a sweep searches: settings by dotted name, each with a range, choices or a fixed value."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from s2v_ray.config.load import config_from_dict, with_settings
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
    space = default_space(config)
    if path is None:
        return space
    searched, fixed = dict(space.searched), dict(space.fixed)
    for name, entry in _entries(Path(path)):
        _check_searchable(name, path)
        searched.pop(name, None)
        if isinstance(entry, Mapping):
            searched[name] = _distribution(entry, name, path)
        else:
            with_settings(Config(), {name: entry}, path)
            fixed[name] = entry
    if not searched:
        raise UserError("nothing_searched", f"{path} fixes every setting; omit one or give it a range to search.")
    return Space(searched, fixed)


def get_setting(config: Config, name: str) -> Any:
    """A setting by dotted name."""
    section, _, key = name.partition(".")
    return getattr(getattr(config, section), key)


def is_within(space: Space, settings: Mapping[str, Any]) -> bool:
    """Whether the space contains these settings, so that the search learns from them."""
    searched = space.searched
    return settings.keys() == searched.keys() and all(contains(searched[name], settings[name]) for name in searched)


def _about(value: float, factor: float) -> FloatDistribution:
    return FloatDistribution(float(f"{value / factor:.6g}"), float(f"{value * factor:.6g}"), log=True)


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    """What a space file holds, by dotted name."""
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


def _check_searchable(name: str, where: str) -> None:
    """Raise UserError by name if there is no such setting, or if it isn't the search's to choose."""
    section, _, key = name.partition(".")
    default = asdict(Config()).get(section, {}).get(key)
    with_settings(Config(), {name: default}, where)
    if section == "clips":
        raise UserError("fixed_setting", f"{where}: {name} can't be set here: the prepared clips fix it.")
    if name in _SWEEPS_OWN:
        raise UserError(
            "fixed_setting", f"{where}: {name} can't be set here: the sweep sets it by {_SWEEPS_OWN[name]}."
        )


def _distribution(entry: Mapping[str, Any], name: str, where: str) -> BaseDistribution:
    choices: Any = entry.get("choices")
    low: Any = entry.get("low")
    high: Any = entry.get("high")
    log = entry.get("log", False)
    is_choice = set(entry) == {"choices"} and isinstance(choices, list) and bool(choices)
    is_range = set(entry) <= _RANGE_KEYS and None not in (low, high) and isinstance(log, bool)
    if not is_choice and not is_range:
        raise UserError("wrong_range", f"{where}: {name} is {dict(entry)!r}, but must be searchable: {_FORMS}.")
    for value in choices if is_choice else (low, high):
        with_settings(Config(), {name: value}, where)
        if isinstance(value, list):
            raise UserError("wrong_type", f"{where}: {name} is a list, which can't be searched; fix it with one value.")
    if is_choice:
        return CategoricalDistribution(choices)
    if isinstance(low, bool | str) or isinstance(high, bool | str):
        raise UserError("wrong_range", f"{where}: {name} has no range; give choices = [{low!r}, {high!r}].")
    if low >= high or (log and low <= 0):
        rule = "low must be above 0 on a log scale" if low < high else "low must be below high"
        raise UserError("wrong_range", f"{where}: {name} goes from {low:g} to {high:g}, but {rule}.")
    if isinstance(get_setting(Config(), name), int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)
