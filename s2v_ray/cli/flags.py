"""A verb's flags, made by tyro from its function's arguments; those of the settings are made from their schema."""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, StructConstructorSpec, StructFieldSpec

from s2v_ray.config import Config, config_from_toml, load_config
from s2v_ray.config.load import PRESETS, RENAMED, bounds, checked
from s2v_ray.errors import UserError
from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.paths import is_uri, user_location

Settings = Annotated[Config, tyro.conf.arg(name="")]
_PATH = PrimitiveConstructorSpec(
    nargs=1,
    metavar="PATH",
    instance_from_str=lambda texts: texts[0],
    is_instance=lambda value: isinstance(value, str),
    str_from_instance=lambda value: [value],
)
Location = Annotated[str, _PATH]  # a path or URI that a user types; `parse` normalises it

_DEFAULT_PRESETS = {"train": "stable", "tune": "tiny"}
_SECTIONS: dict[Any, str] = {section.type: section.name for section in fields(Config)}
_METAVARS: dict[Any, str] = {int: "INT", float: "FLOAT", str: "STR", bool: "{true,false}", tuple: "INT [INT ...]"}


def parse(verb: str, function: Callable[..., Any], arguments: list[str]) -> functools.partial[Any]:
    """The call of `function` that the flags in `arguments` ask for.

    Raises UserError for unknown flags, and for settings and locations that can't be. SystemExit for --help, and, once
    tyro has printed what is wrong, for other flags that are missing or of a wrong type.
    """
    signature = inspect.signature(function, eval_str=True)
    preset = flag_value(arguments, "--config") or _DEFAULT_PRESETS.get(verb)
    defaults = read_config(preset) if preset else Config()

    @functools.wraps(function)
    def bound(*positional: Any, **named: Any) -> inspect.BoundArguments:
        return signature.bind(*positional, **named)

    with _settings_flags(_DEFAULT_PRESETS.get(verb, ""), defaults):
        given, unknown = tyro.cli(bound, prog=f"s2v {verb}", args=arguments, return_unknown_args=True)
    if unknown:
        _refuse(unknown[0], signature)
    for name, value in given.arguments.items():
        parameter = signature.parameters[name]
        if _is_location(parameter.annotation) and value != parameter.default:
            flag = name.upper() if parameter.kind is parameter.POSITIONAL_ONLY else f"--{name.replace('_', '-')}"
            given.arguments[name] = (
                tuple(user_location(each, flag) for each in value)
                if isinstance(value, tuple)
                else user_location(value, flag)
            )
    _check_clips_unchanged(given.arguments, defaults)
    return functools.partial(function, *given.args, **given.kwargs)


def flag_value(arguments: list[str], flag: str) -> str | None:
    """The value of one flag, before any other is understood."""
    value = None
    for argument, following in zip(arguments, [*arguments[1:], None], strict=False):
        if argument == flag:
            value = following
        elif argument.startswith(f"{flag}="):
            value = argument.removeprefix(f"{flag}=")
    return value


def read_config(name: str) -> Config:
    """The settings of a preset, a TOML file or one in an object store. Raises UserError."""
    location = name if name in PRESETS else user_location(name, "--config")
    if not is_uri(location):
        return load_config(location)
    return config_from_toml(read_bytes(location).decode(errors="replace"), where=location)


def _is_location(hint: Any) -> bool:
    return _PATH in getattr(hint, "__metadata__", ()) or any(map(_is_location, get_args(hint)))


def _settings_flags(preset: str, defaults: Config) -> ConstructorRegistry:
    """Rules by which tyro makes flags of a `Config`: --config, and one for each setting."""
    registry = ConstructorRegistry()

    @registry.struct_rule
    def _(found: tyro.constructors.StructTypeInfo) -> StructConstructorSpec | None:
        if found.type is Config:
            meaning = (
                f"a preset ({', '.join(PRESETS)}), or the path or URI of a TOML file, that the settings start from"
            )
            sections = [StructFieldSpec(name, kind, getattr(defaults, name)) for kind, name in _SECTIONS.items()]
            return StructConstructorSpec(
                lambda config, **sections: Config(**sections),
                (StructFieldSpec("config", Location, preset, helptext=meaning), *sections),
            )
        if found.type in _SECTIONS:
            flags = [_setting_flag(_SECTIONS[found.type], field, found.default) for field in fields(found.type)]
            return StructConstructorSpec(found.type, tuple(flags))
        return None

    return registry


def _setting_flag(section: str, setting: Field[Any], defaults: Any) -> StructFieldSpec:
    kind: Any = get_origin(setting.type) or setting.type
    flag = f"--{section}.{setting.name}".replace("_", "-")
    spec = PrimitiveConstructorSpec(
        nargs="*" if kind is tuple else 1,
        metavar=f"{{{','.join(get_args(setting.type))}}}" if kind is Literal else _METAVARS[kind],
        instance_from_str=lambda texts: checked(_value(kind, texts), setting, flag),
        is_instance=lambda value: True,
        str_from_instance=lambda value: [str(each) for each in value] if kind is tuple else [str(value).lower()],
    )
    meaning = "; ".join(filter(None, [setting.metadata["meaning"], bounds(setting)]))
    hint: Any = Annotated[setting.type, spec, tyro.conf.FlagConversionOff]  # --training.compile true, not a switch
    return StructFieldSpec(setting.name, hint, getattr(defaults, setting.name), helptext=meaning)


def _value(kind: Any, texts: list[str]) -> Any:
    """What was typed, as a value of this kind; as it is if it isn't one."""
    try:
        if kind is tuple:
            return tuple(int(text) for text in " ".join(texts).strip("[]").replace(",", " ").split())
        return {"true": True, "false": False}[texts[0].lower()] if kind is bool else kind(texts[0])
    except (ValueError, KeyError, TypeError):
        return " ".join(texts)


def _check_clips_unchanged(arguments: dict[str, Any], defaults: Config) -> None:
    """Raise UserError if flags say what the clips are, but they are prepared already."""
    clips = arguments.get("config", defaults).clips
    if clips != defaults.clips and not arguments.get("videos"):
        name = next(
            each.name for each in fields(clips) if getattr(clips, each.name) != getattr(defaults.clips, each.name)
        )
        raise UserError(
            "clips_are_fixed",
            f"--clips.{name.replace('_', '-')} can't be set: the clips are as they were prepared; prepare others.",
        )


def _refuse(argument: str, signature: inspect.Signature) -> None:
    """Raise UserError that says what was meant."""
    flag = argument.partition("=")[0].replace("_", "-")
    if not flag.startswith("--"):
        raise UserError("unknown_flag", f"'{argument}' belongs to no flag; see the flags with --help.")
    if new := RENAMED.get(flag.removeprefix("--").replace("-", "_")):
        raise UserError("renamed_setting", f"{flag} is called --{new.replace('_', '-')} since version 0.2.")
    matches = difflib.get_close_matches(flag, _flags(signature), n=1)
    raise UserError(
        "unknown_flag", f"There is no flag {flag}; {f'did you mean {matches[0]}?' if matches else 'see --help.'}"
    )


def _flags(signature: inspect.Signature) -> list[str]:
    """The flags of a verb, to suggest one of them."""
    names: list[str] = ["config"]
    for parameter in signature.parameters.values():
        hint: Any = parameter.annotation
        kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        names += _names(kind) if is_dataclass(kind) else [parameter.name]
    return [f"--{name}".replace("_", "-") for name in names]


def _names(kind: Any) -> Iterator[str]:
    for field in fields(kind):
        inner: Any = field.type
        yield from (f"{field.name}.{name}" for name in _names(inner)) if is_dataclass(inner) else [field.name]
