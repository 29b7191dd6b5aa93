"""The command line: each verb is a function, its flags are that function's arguments."""

import re
import sys
from collections.abc import Callable
from typing import Any

import tyro

import s2v_ray
from s2v_ray.cli.demo import demo
from s2v_ray.cli.evaluate import evaluate
from s2v_ray.cli.generate import generate
from s2v_ray.cli.prepare import prepare
from s2v_ray.cli.synth import synth
from s2v_ray.cli.train import train
from s2v_ray.config import UserError

VERBS: dict[str, Callable[..., Any]] = {
    "demo": demo,
    "synth": synth,
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
    "generate": generate,
}
_DOTTED = re.compile(r"--([a-z_-]+\.[a-z0-9_-]+)(?:=(.*))?", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the status for the shell. A user's mistake is one sentence on stderr and status 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        tyro.extras.subcommand_cli_from_dict(
            VERBS, prog="s2v", description=s2v_ray.__doc__, args=gather_settings(arguments)
        )
    except UserError as error:
        return _fail(arguments, str(error))
    except OSError as error:
        place = f" '{error.filename}'" if error.filename else ""
        return _fail(arguments, f"{error.strerror or error}{place}; what was finished before is kept.")
    except KeyboardInterrupt:
        _fail(arguments, "stopped; what was finished is kept, and the same command goes on.")
        return 130
    return 0


def gather_settings(arguments: list[str]) -> list[str]:
    """Dotted flags, such as `--optim.generator-lr 1e-4`, as one `--settings optim.generator-lr=1e-4 ...` at the end."""
    kept, settings, rest = [], [], iter(arguments)
    for argument in rest:
        dotted = _DOTTED.fullmatch(argument)
        if dotted is None:
            kept.append(argument)
            continue
        value = dotted[2] if dotted[2] is not None else next(rest, None)
        if value is None:
            raise UserError(f"{argument} needs a value, such as {argument} 1.")
        settings.append(f"{dotted[1]}={value}")
    return [*kept, "--settings", *settings] if settings else kept


def _fail(arguments: list[str], sentence: str) -> int:
    verb = arguments[0] if arguments and arguments[0] in VERBS else ""
    print(f"s2v {verb}".strip() + f": {sentence}", file=sys.stderr)
    return 1
