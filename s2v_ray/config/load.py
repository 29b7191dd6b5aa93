"""Plain values to a `Config`, strictly: unknown names, wrong types and values out of range are refused."""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import Field, asdict, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import tomli_w

from s2v_ray.config.schema import Config
from s2v_ray.errors import UserError

PRESETS = {path.stem: path for path in sorted((Path(__file__).parent / "presets").glob("*.toml"))}
# The names of version 0.1.
RENAMED = {"loss.adversarial_from": "loss.discriminator_start", "sound.window_frames": "sound.stft_window_frames"}
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def load_config(name: str) -> Config:
    """The settings of a preset ("stable", "tiny", "paper") or of a local TOML file.

    A file holds any part of the settings; its top-level key `preset` names what it starts from (otherwise the paper's
    numbers). Raises UserError by name for whatever is unknown, of a wrong type or out of range.
    """
    path = PRESETS.get(name, Path(name))
    if not path.is_file():
        raise UserError("not_found", f"'{name}' is neither a preset ({', '.join(PRESETS)}) nor a TOML file.")
    return config_from_toml(path.read_text(encoding="utf-8", errors="replace"), where=str(path))


def config_from_toml(text: str, where: str) -> Config:
    """The settings that a TOML file's `text` holds; `where` names the file in errors."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError("damaged_toml", f"{where} is not a TOML file: {error}.") from None
    return config_from_dict(values, where)


def config_from_dict(values: Mapping[str, Any], where: str) -> Config:
    """The settings in plain values as TOML or JSON has them; `where` names their origin in errors."""
    if "preset" not in values:
        return _merge(Config(), values, where)
    preset = values["preset"]
    if not isinstance(preset, str) or preset not in PRESETS:
        raise UserError("unknown_preset", f"{where}: preset is {preset!r}, but must be one of {', '.join(PRESETS)}.")
    return _merge(load_config(preset), {name: values[name] for name in values if name != "preset"}, where)


def with_settings(config: Config, settings: Mapping[str, Any], where: str = "") -> Config:
    """`config` with plain values by their dotted names, such as {"optim.generator_lr": 1e-4}. Raises UserError."""
    values: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        section, _, key = name.partition(".")
        values.setdefault(section, {})[key] = value
    return _merge(config, values, where)


def config_to_toml(config: Config) -> str:
    """The complete settings as TOML that `load_config` reads back."""
    return tomli_w.dumps(asdict(config))


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of a configuration that version 0.1 may have written, under today's names."""
    sections = {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}
    for old, new in RENAMED.items():
        section, key = old.split(".")
        if isinstance(found := sections.get(section), dict) and key in found:
            found[new.partition(".")[2]] = found.pop(key)
    return sections


def checked(value: Any, setting: Field[Any], where: str) -> Any:
    """`value` as the setting has it. Every value passes through here, from TOML, JSON and flags alike.

    Raises UserError for another type (a whole number is a number, too) and for a number out of range.
    """
    kind: Any = setting.type
    if get_origin(kind) is Literal:
        fits = value in get_args(kind)
    elif get_origin(kind) is tuple:
        entry_kind = get_args(kind)[0]
        fits = isinstance(value, list | tuple) and bool(value or setting.default == ())
        fits = fits and all(type(entry) in (entry_kind, int) for entry in value)
        value = tuple(map(entry_kind, value)) if fits else value
    else:
        value = float(value) if kind is float and type(value) is int else value
        fits = type(value) is kind
    if not fits:
        raise UserError("wrong_type", f"{where} is {value!r}, but must be {_rule(setting)}.")
    low, high = setting.metadata["low"], setting.metadata["high"]
    numbers = [] if low is None else value if isinstance(value, tuple) else [value]
    if not all(math.isfinite(number) and low <= number <= high for number in numbers):
        raise UserError("out_of_range", f"{where} is {value!r}, but must be {_rule(setting)}.")
    return value


def bounds(setting: Field[Any]) -> str:
    """The range of a number: "from 1 to 16" or "at least 1"; empty for a setting without one."""
    low, high = setting.metadata["low"], setting.metadata["high"]
    if low is None:
        return ""
    return f"at least {low}" if high == math.inf else f"from {low} to {high}"


def _rule(setting: Field[Any]) -> str:
    kind: Any = setting.type
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(repr, get_args(kind)))}"
    if get_origin(kind) is tuple:
        what = "whole numbers" if get_args(kind)[0] is int else "numbers"
        return f"a list of {what}, each {bounds(setting)}, such as [64, 128]"
    return ", ".join(filter(None, [_KINDS[kind], bounds(setting)]))


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


def _merge(config: Config, values: Mapping[str, Any], where: str) -> Config:
    where = f"{where}: " if where else ""
    sections = {field.name: getattr(config, field.name) for field in fields(config)}
    for name, section_values in values.items():
        if name not in sections:
            raise UserError("unknown_setting", f"{where}there is no section '{name}'{_closest(name, sections)}")
        if not isinstance(section_values, Mapping):
            raise UserError("wrong_type", f"{where}'{name}' is {section_values!r}, but must be a section of settings.")
        known = {field.name: field for field in fields(sections[name])}
        for key in section_values:
            if new := RENAMED.get(f"{name}.{key}"):
                raise UserError("renamed_setting", f"{where}'{name}.{key}' has been called '{new}' since version 0.2.")
            if key not in known:
                raise UserError("unknown_setting", f"{where}there is no setting '{name}.{key}'{_closest(key, known)}")
        fitting = {key: checked(value, known[key], f"{where}{name}.{key}") for key, value in section_values.items()}
        sections[name] = replace(sections[name], **fitting)
    return replace(config, **sections)


def _closest(name: str, known: Mapping[str, Any]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{matches[0]}'?" if matches else f"; there are {', '.join(known)}."
