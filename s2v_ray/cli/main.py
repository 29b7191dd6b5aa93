"""The command line: each verb is a function, its flags are that function's arguments."""

import difflib
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import tyro

import s2v_ray
from s2v_ray.cli.demo import demo
from s2v_ray.cli.evaluate import evaluate
from s2v_ray.cli.generate import generate
from s2v_ray.cli.info import info
from s2v_ray.cli.prepare import prepare
from s2v_ray.cli.synth import synth
from s2v_ray.cli.train import train
from s2v_ray.cli.tune import tune
from s2v_ray.errors import UserError

VERBS: dict[str, Callable[..., Any]] = {
    "demo": demo,
    "synth": synth,
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
    "generate": generate,
    "tune": tune,
    "info": info,
}
RESUMABLE = ("demo", "prepare", "train", "tune")
# s3://KEY:SECRET@bucket, but not hdfs://host:9000/name@x
_PASSWORD = re.compile(r"://[^/@\s]*:(?!\d+/)[^@\s]*@")
_DOTTED = re.compile(r"--([a-z_-]+\.[a-z0-9_-]+)(?:=(.*))?", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the status for the shell. A user's mistake is one sentence on stderr and status 1."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    verb = arguments[0]
    try:
        if verb == "--version":
            print(f"s2v {s2v_ray.__version__}")
            return 0
        if not verb.startswith("-") and verb not in VERBS:
            nearest = difflib.get_close_matches(verb, VERBS, n=1)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(VERBS)}."
            raise UserError(f"There is no verb '{verb}'; {hint}")
        if any(_PASSWORD.search(argument) for argument in arguments):
            raise UserError(
                "A URI in the command holds a password, which would come into logs and files; give keys by the "
                "environment or the machine's role instead, and change this one, since your shell remembers it."
            )
        with _ending_on_sigterm():
            tyro.extras.subcommand_cli_from_dict(
                VERBS, prog="s2v", description=s2v_ray.__doc__, args=gather_settings(arguments)
            )
    except UserError as error:
        return _fail(verb, str(error))
    except OSError as error:
        place = f"'{error.filename}'" if error.filename else "A file"
        return _fail(verb, f"{place} can't be read or written: {error.strerror or error}; choose another place.")
    except KeyboardInterrupt as stopped:
        goes_on = "; the same command goes on" if verb in RESUMABLE else ", and nothing unfinished is left"
        _fail(verb, f"stopped{goes_on}.")
        return 128 + (signal.SIGTERM if isinstance(stopped, _Terminated) else signal.SIGINT)
    return 0


def gather_settings(arguments: list[str]) -> list[str]:
    """Dotted flags, such as `--optim.generator-lr 1e-4`, as one `--settings optim.generator-lr=1e-4 ...`."""
    kept, settings, rest = [], [], iter(arguments)
    for argument in rest:
        dotted = _DOTTED.fullmatch(argument)
        if dotted is None:
            kept.append(argument)
            continue
        value = dotted[2] if dotted[2] is not None else next(rest, None)
        if value is None or value.startswith("--"):
            raise UserError(f"{argument} needs a value, such as {argument} 1.")
        settings.append(f"{dotted[1]}={value}")
    if "--settings" in kept:
        after = kept.index("--settings") + 1
        return [*kept[:after], *settings, *kept[after:]]
    return [*kept, "--settings", *settings] if settings else kept


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as from `ray job stop`."""


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the program, so that what is unfinished is removed. Training has its own way to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail(verb: str, sentence: str) -> int:
    print(f"s2v {verb if verb in VERBS else ''}".strip() + f": {sentence}", file=sys.stderr)
    return 1
