"""TOML and dotted flags to a `Config`, strictly: unknown keys, wrong types and values out of range are refused."""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import tomli_w

from s2v_ray.config.schema import Config
from s2v_ray.errors import UserError

# Names of release 0.1.
_RENAMED = {("loss", "adversarial_from"): "discriminator_start", ("sound", "window_frames"): "stft_window_frames"}
_PRESETS = Path(__file__).parent / "presets"


def load_config(name: str, overrides: Mapping[str, str] | None = None) -> Config:
    """The settings of a preset ("tiny", "paper") or of a TOML file, with dotted overrides on top.

    A file holds any part of the settings; its top-level key `preset` names what it starts from (otherwise the
    paper's numbers). `overrides` maps dotted names to text, such as {"optim.generator-lr": "1e-4"}.

    Raises UserError by name for whatever is unknown, of a wrong type or out of range.
    """
    config = _load_file(_find(name))
    for dotted, text in (overrides or {}).items():
        config = override(config, dotted, text)
    return config


def override(config: Config, dotted: str, text: str) -> Config:
    """`config` with the one setting `dotted` ("optim.generator-lr", dashes or underscores) read from `text`."""
    section, _, key = dotted.replace("-", "_").partition(".")
    kinds = {field.name: field.type for field in fields(getattr(config, section, config))}
    value = _parse_value(text)
    if kinds.get(key) is str and not isinstance(value, str):
        value = text  # a rational as text, which may look like a number
    return _merge(config, {section: {key: value}}, where=f"--{dotted}")


def config_from_dict(values: Mapping[str, Any], where: str) -> Config:
    """A config from plain values as TOML or JSON gives them; `where` names their origin in errors."""
    values = dict(values)
    preset = values.pop("preset", None)
    if preset is None:
        return _merge(Config(), values, where)
    if not isinstance(preset, str) or preset not in _presets():
        raise UserError(f"{where}: preset is {preset!r}, but must be one of {', '.join(_presets())}.")
    return _merge(_load_file(_presets()[preset]), values, where)


def config_from_toml(text: str, where: str) -> Config:
    """The settings that a TOML file's `text` holds; `where` names it in errors."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not a TOML file: {error}.") from None
    return config_from_dict(values, where)


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """A whole configuration as release 0.1 wrote it, in the names of this one."""
    sections = {name: dict(section) if isinstance(section, Mapping) else section for name, section in values.items()}
    for (section, before), after in _RENAMED.items():
        if before in sections.get(section, {}):
            sections[section][after] = sections[section].pop(before)
    return sections


def config_to_toml(config: Config) -> str:
    """The complete settings as TOML that `load_config` reads back."""
    return tomli_w.dumps(asdict(config))


def _find(name: str) -> Path:
    if name in _presets():
        return _presets()[name]
    if Path(name).is_file():
        return Path(name)
    raise UserError(f"No configuration '{name}': it is neither a preset ({', '.join(_presets())}) nor a TOML file.")


def _presets() -> dict[str, Path]:
    return {path.stem: path for path in sorted(_PRESETS.glob("*.toml"))}


def _load_file(path: Path) -> Config:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a TOML file: {error}.") from None
    return config_from_toml(text, where=str(path))


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(config: Config, values: Mapping[str, Any], where: str) -> Config:
    sections = {field.name: getattr(config, field.name) for field in fields(config)}
    for name, section_values in values.items():
        if name not in sections:
            raise UserError(f"{where}: there is no section '{name}'{_closest(name, sections)}")
        if not isinstance(section_values, Mapping):
            raise UserError(f"{where}: '{name}' is a section of settings, but {section_values!r} is none.")
        known = {field.name: field for field in fields(sections[name])}
        for key in section_values:
            if key not in known:
                raise UserError(f"{where}: there is no setting '{name}.{key}'{_closest(key, known)}")
        checked = {
            key: _check(value, known[key].type, known[key].metadata, f"{where}: {name}.{key}")
            for key, value in section_values.items()
        }
        sections[name] = replace(sections[name], **checked)
    return replace(config, **sections)


def _check(value: Any, kind: Any, metadata: Mapping[str, Any], where: str) -> Any:
    """`value` as `kind`, or a UserError that says the rule."""
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise UserError(f"{where} is {value!r}, but must be one of {', '.join(map(repr, get_args(kind)))}.")
        return value
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or not value:
            raise UserError(f"{where} is {value!r}, but must be a list of whole numbers such as [64, 128].")
        return tuple(_check(entry, int, metadata, where) for entry in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        expected = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind]
        raise UserError(f"{where} is {value!r}, but must be {expected}.")
    low, high = metadata.get("low"), metadata.get("high")
    if (isinstance(value, float) and not math.isfinite(value)) or (low is not None and value < low):
        raise UserError(f"{where} is {value!r}, but must be at least {low}.")
    if high is not None and value > high:
        raise UserError(f"{where} is {value!r}, but must be at most {high}.")
    return value


def _closest(name: str, known: Mapping[str, Any]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{matches[0]}'?" if matches else f"; there are {', '.join(known)}."


def differing_names(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The dotted names of the values in which two nested mappings differ."""
    names = []
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            names += [f"{name}.{inner}" for inner in differing_names(mine, other)]
        elif mine != other:
            names.append(name)
    return names
