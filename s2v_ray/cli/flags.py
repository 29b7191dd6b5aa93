"""A verb's flags, made by tyro from its function's arguments; those of the settings are made from their schema."""

import argparse
import contextlib
import difflib
import functools
import inspect
import io
import re
from collections.abc import Callable
from dataclasses import Field, asdict, fields, replace
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from s2v_ray.config import Config
from s2v_ray.config.load import PRESETS, RENAMED, bounds, checked, differing_names
from s2v_ray.errors import UserError
from s2v_ray.recipes.settings import read_config
from s2v_ray.storage.paths import user_location


def _spec(kind: Any) -> Any:
    """How tyro itself reads a value of this kind."""
    return ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kind, set()))


Settings = Annotated[Config, tyro.conf.arg(name="")]
_PATH: PrimitiveConstructorSpec[str] = replace(_spec(str), metavar="PATH")
Location = Annotated[str, _PATH]  # a path or URI that a user types; `parse` normalises it
_ANY = "any"  # no number, where that means any number
# Where the default is nothing, the help says what that means.
_HINT = tyro.conf.arg(help_behavior_hint=lambda text: "" if text in (_ANY, "None", "''", "") else f"(default: {text})")

_DEFAULT_PRESETS = {"train": "stable", "tune": "tiny"}
_SECTIONS: dict[Any, str] = {section.type: section.name for section in fields(Config)}


def parse(verb: str, function: Callable[..., Any], arguments: list[str]) -> functools.partial[Any]:
    """The call of `function` that the flags in `arguments` ask for.

    Raises UserError for flags that are unknown, missing or of a wrong type, and for invalid settings and locations;
    SystemExit for --help.
    """
    signature = inspect.signature(function, eval_str=True)
    preset = _DEFAULT_PRESETS.get(verb, "paper")
    named = flag_value(arguments, "--config") if verb in _DEFAULT_PRESETS else None
    defaults = read_config(preset if named is None else named)

    def bound(*positional: Any, **keywords: Any) -> inspect.BoundArguments:
        return signature.bind(*positional, **keywords)

    bound.__doc__ = re.sub(r"\n {8,}", " ", inspect.getdoc(function) or "")  # tyro keeps these line breaks
    vars(bound)["__signature__"] = signature
    bound.__annotations__ = {name: Annotated[each.annotation, _HINT] for name, each in signature.parameters.items()}
    with _rules(preset, defaults):
        call, unknown = _parsed(bound, verb, arguments)
        if unknown:
            _refuse(unknown[0], verb, bound)
    given = call.arguments
    for name, value in given.items():
        parameter = signature.parameters[name]
        if _is_location(parameter.annotation) and (value or value != parameter.default):
            flag = name.upper() if parameter.kind is parameter.POSITIONAL_ONLY else f"--{name.replace('_', '-')}"
            several = isinstance(value, tuple)
            found = tuple(user_location(each, flag) for each in (value if several else [value]))
            given[name] = found if several else found[0]
    clips = given.get("config", defaults).clips
    if not given.get("videos") and (changed := differing_names(asdict(clips), asdict(defaults.clips))):
        flag = f"--clips.{changed[0].replace('_', '-')}"
        raise UserError("clips_are_fixed", f"{flag} can't be set: the clips are as they were prepared; prepare others.")
    return functools.partial(function, *call.args, **call.kwargs)


def _parsed(function: Callable[..., Any], verb: str, arguments: list[str]) -> tuple[Any, list[str]]:
    """What tyro makes of the arguments, and those that it doesn't know; its box of an error as one sentence."""
    asks_help = any(argument in ("-h", "--help") for argument in arguments)
    if not asks_help and (missing := _missing(function, arguments)):
        known = _flags_of(function)
        for argument in arguments:  # a flag that is mistyped is also one that is missing
            if argument.startswith("--") and argument.partition("=")[0].replace("_", "-") not in known:
                _refuse(argument, verb, function)
        are, means = ("is", "it means") if len(missing) == 1 else ("are", "they mean")
        raise UserError("missing_flag", f"{' and '.join(missing)} {are} needed; `s2v help {verb}` says what {means}.")
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        try:
            call, unknown = tyro.cli(function, prog=f"s2v {verb}", args=arguments, return_unknown_args=True)
        except SystemExit as ended:
            if not ended.code:
                raise
            raise UserError("wrong_value", _sentence(printed.getvalue(), verb)) from None
    return call, unknown


def _missing(function: Callable[..., Any], arguments: list[str]) -> list[str]:
    """The flags without a default that are not among the arguments."""
    given = {argument.partition("=")[0].replace("_", "-") for argument in arguments}
    missing = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not parameter.empty or name in ("config", "settings"):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            missing += [] if arguments else [name.upper()]
        elif (flag := f"--{name.replace('_', '-')}") not in given:
            missing.append(flag)
    return missing


def _sentence(box: str, verb: str) -> str:
    """The message in a box that tyro drew: what is between its title and the next line across."""
    paragraphs: list[list[str]] = [[]]
    for row in re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines():
        text = row.strip("│| ")
        if text[:1] in ("╭", "+") or re.fullmatch(r"[─╰╯-]+", text):  # where there are no colours, a title has no frame
            paragraphs.append([])
        elif text:
            paragraphs[-1].append(text)
    shown = paragraphs[1] if len(paragraphs) > 1 else paragraphs[0]
    message = " ".join(shown).removeprefix("Error parsing ").rstrip(".")
    return f"{message}; see `s2v help {verb}`."


def flag_value(arguments: list[str], flag: str) -> str | None:
    """The value of one flag, before the others are parsed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(flag, dest="value", nargs="?")
    value: str | None = parser.parse_known_args(arguments)[0].value
    return value


def _is_location(hint: Any) -> bool:
    return _PATH in getattr(hint, "__metadata__", ()) or any(map(_is_location, get_args(hint)))


def _rules(preset: str, defaults: Config) -> ConstructorRegistry:
    """How tyro makes flags of a `Config`: --config, and one for each setting; and of `X | None`: like those of X."""
    registry = ConstructorRegistry()

    @registry.struct_rule
    def _(found: StructTypeInfo) -> StructConstructorSpec | None:
        if found.type is Config:
            meaning = f"a preset ({', '.join(PRESETS)}), or the path or URI of a TOML file, to start from"
            sections = [StructFieldSpec(name, kind, getattr(defaults, name)) for kind, name in _SECTIONS.items()]
            return StructConstructorSpec(
                lambda config, **sections: Config(**sections),
                (StructFieldSpec("config", Location, preset, helptext=meaning), *sections),
            )
        if found.type in _SECTIONS:
            flags = [_setting_flag(_SECTIONS[found.type], field, found.default) for field in fields(found.type)]
            return StructConstructorSpec(found.type, tuple(flags))
        return None

    @registry.primitive_rule
    def _(found: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        kinds: list[Any] = [kind for kind in get_args(found.type) if kind is not NoneType] or [found.type]
        optional = NoneType in get_args(found.type)
        return _PATH if kinds == [Location] else _number(kinds[0], optional) if kinds in ([int], [float]) else None

    return registry


def _number(kind: Any, optional: bool) -> PrimitiveConstructorSpec[Any]:
    def parsed(texts: list[str]) -> Any:
        if optional and texts[0] in (_ANY, "None"):
            return None
        if isinstance(value := _value(kind, texts), str):
            raise ValueError(f"'{value}' is not {'a whole number' if kind is int else 'a number'}.")
        return value

    return PrimitiveConstructorSpec(
        1, kind.__name__.upper(), parsed, lambda value: True, lambda value: [_ANY if value is None else str(value)]
    )


def _setting_flag(section: str, setting: Field[Any], defaults: Any) -> StructFieldSpec:
    kind: Any = setting.type
    flag = f"--{section}.{setting.name}".replace("_", "-")
    spec = replace(
        _spec(kind),
        instance_from_str=lambda texts: checked(_value(get_origin(kind) or kind, texts), setting, flag),
        choices=None,  # `checked` says which
    )
    meaning = "; ".join(filter(None, [setting.metadata["meaning"], bounds(setting)]))
    hint: Any = Annotated[kind, spec, tyro.conf.FlagConversionOff]  # --training.compile true, not a switch
    return StructFieldSpec(setting.name, hint, getattr(defaults, setting.name), helptext=meaning)


def _value(kind: Any, texts: list[str]) -> Any:
    """What was typed, as a value of this kind; otherwise the text itself."""
    try:
        if kind is tuple:
            return tuple(_whole_or_not(text) for text in " ".join(texts).strip("[]").replace(",", " ").split())
        return {"true": True, "false": False}[texts[0].lower()] if kind is bool else kind(texts[0])
    except (ValueError, KeyError, TypeError):
        return " ".join(texts)


def _whole_or_not(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _flags_of(function: Callable[..., Any]) -> list[str]:
    """The flags that the help lists."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        tyro.cli(function, args=["--help"])
    return re.findall(r"--\w[\w.-]+", printed.getvalue())


def _refuse(argument: str, verb: str, function: Callable[..., Any]) -> None:
    """Raise UserError, which names the nearest flag of this verb."""
    flag = argument.partition("=")[0].replace("_", "-")
    if not flag.startswith("--"):
        raise UserError("unknown_flag", f"'{argument}' belongs to no flag; `s2v help {verb}` lists the flags.")
    known = _flags_of(function)
    new = RENAMED.get(flag.removeprefix("--").replace("-", "_"), "").replace("_", "-")
    if f"--{new}" in known:
        raise UserError("renamed_setting", f"{flag} has been called --{new} since version 0.2.")
    nearest = difflib.get_close_matches(flag, known, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"`s2v help {verb}` lists the flags."
    raise UserError("unknown_flag", f"There is no flag {flag}; {hint}")
