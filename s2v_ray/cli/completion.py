"""`s2v --print-completion SHELL`: a script by which a shell completes verbs, flags, choices and paths."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from s2v_ray.cli.flags import verb_actions
from s2v_ray.cli.manner import MANNERS
from s2v_ray.config.load import PRESETS
from s2v_ray.errors import UserError

SHELLS = ("bash", "zsh", "fish", "tcsh")


def completion_script(arguments: list[str], verbs: Mapping[str, Callable[..., Any]]) -> str:
    """The script for the shell that `arguments` names. Raises UserError unless it is one of SHELLS."""
    if len(arguments) != 1 or arguments[0] not in SHELLS:
        given = f"'{' '.join(arguments)}'" if arguments else "nothing"
        raise UserError("wrong_value", f"--print-completion got {given}, but needs a shell: {', '.join(SHELLS)}.")
    import shtab

    every = argparse.ArgumentParser(prog="s2v", add_help=False)
    _add_manners(every)
    parsers = every.add_subparsers()
    for verb, function in verbs.items():
        parser = parsers.add_parser(verb, help=_escaped((function.__doc__ or "").partition(".")[0]), add_help=False)
        for action in verb_actions(verb, function):
            _add(parser, action, shtab.FILE)
        _add_manners(parser)
    parsers.add_parser("help", help="list the flags of a verb", add_help=False).add_argument(
        "verb", choices=list(verbs)
    )
    parsers.add_parser("version", help="print the version", add_help=False)
    return shtab.complete(every, shell=arguments[0])


def _add_manners(parser: argparse.ArgumentParser) -> None:
    for flag, meaning in MANNERS.items():
        parser.add_argument(flag, action="store_true", help=meaning)


def _add(parser: argparse.ArgumentParser, action: argparse.Action, files: Mapping[str, Any]) -> None:
    """Add what shells need to know of one of tyro's actions, whose classes are not argparse's own."""
    help_text = _escaped(action.help or "")
    if action.nargs == 0:
        parser.add_argument(*action.option_strings, action="store_true", help=help_text)
        return
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    choices = metavar.strip("{}").split(",") if metavar.startswith("{") else None
    nargs = None if action.nargs == 1 else action.nargs
    added = parser.add_argument(*(action.option_strings or [action.dest]), nargs=nargs, choices=choices, help=help_text)
    if "PATH" in metavar:
        takes_preset = "--config" in action.option_strings
        vars(added)["complete"] = _presets_and(files) if takes_preset else files


def _presets_and(files: Mapping[str, Any]) -> dict[str, Any]:
    """How --config is completed: by presets as well as files, where the shell's own functions allow both."""
    presets = " ".join(PRESETS)
    bash = f"_s2v_presets() {{\n  compgen -W '{presets}' -f -- $1\n}}"
    fish = f"(string split ' ' '{presets}'; __fish_complete_path (commandline -ct))"
    return {**files, "bash": "_s2v_presets", "fish": fish, "preamble": {"bash": bash}}


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")
