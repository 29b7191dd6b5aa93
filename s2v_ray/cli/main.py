"""The command line: each verb is a function, its flags are that function's arguments."""

import difflib
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import s2v_ray
from s2v_ray.cli.app import app
from s2v_ray.cli.convert import convert
from s2v_ray.cli.demo import demo
from s2v_ray.cli.evaluate import evaluate
from s2v_ray.cli.export import export
from s2v_ray.cli.flags import parse
from s2v_ray.cli.generate import generate
from s2v_ray.cli.info import info
from s2v_ray.cli.merge import merge
from s2v_ray.cli.prepare import prepare
from s2v_ray.cli.probe import probe
from s2v_ray.cli.serve import serve
from s2v_ray.cli.synth import synth
from s2v_ray.cli.terminal import CLOSED_PIPE, flush_output, replace_unprintable
from s2v_ray.cli.train import train
from s2v_ray.cli.tune import tune
from s2v_ray.errors import UserError
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import refuse_password
from s2v_ray.training.interrupt import handling

VERBS: dict[str, Callable[..., Any]] = {
    verb.__name__: verb
    for verb in (
        *(demo, synth, prepare, merge, probe, train, evaluate, generate, app, serve, tune),
        *(export, convert, info),
    )
}
_RESUMABLE = ("demo", "prepare", "merge", "train", "tune", "convert")


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the status for the shell. A user's mistake is one sentence on stderr and status 1."""
    given = sys.argv[1:] if arguments is None else arguments
    replace_unprintable()
    try:
        status = _run(*_normalised(given))
    except SystemExit as ended:
        if ended.code == 1:  # so Rich ends where nobody reads what it prints
            return CLOSED_PIPE
        if failed := flush_output():
            return failed
        raise
    return flush_output() or status


def _normalised(given: list[str]) -> tuple[str, list[str]]:
    """The verb and its arguments; `s2v help VERB` is `s2v VERB --help`."""
    verb, *arguments = given or ["--help"]
    if verb == "help" and arguments and arguments[0] != "help":
        return arguments[0], ["--help"]
    return {"-h": "--help", "help": "--help", "version": "--version", "-V": "--version"}.get(verb, verb), arguments


def _run(verb: str, arguments: list[str]) -> int:
    stopped: list[int] = []  # the signals that came

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    try:
        # They unwind the program, so that unfinished files are removed. Training handles signals itself.
        with handling(stop, signal.SIGTERM, signal.SIGINT):
            _call(verb, arguments)
    except UserError as error:
        return _fail(verb, f"{error} [{error.code}]")
    except KeyboardInterrupt:
        return _stopped(verb, arguments, stopped)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and (status := flush_output()):  # as of `s2v ... | head`
            return status
        if stopped:  # modules in C that are stopped while they are imported raise other errors
            return _stopped(verb, arguments, stopped)
        if not isinstance(error, OSError):
            raise
        file = f"'{error.filename}'" if error.filename else "A file"
        return _fail(verb, f"{file} can't be read or written: {reason(error)}. [unusable_file]")
    return 0


def _call(verb: str, arguments: list[str]) -> None:
    if verb in ("--help", "--version"):
        print(f"s2v {s2v_ray.__version__}" if verb == "--version" else _help())
        return
    if verb not in VERBS:
        nearest = difflib.get_close_matches(verb, [*VERBS, "help", "version"], n=1)
        hint = f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(VERBS)}."
        raise UserError("unknown_verb", f"There is no verb '{verb}'; {hint}")
    for argument in arguments:
        refuse_password(argument)
    parse(verb, VERBS[verb], arguments)()


def _stopped(verb: str, arguments: list[str], signals: list[int]) -> int:
    many = verb == "generate" and any(each.partition("=")[0] == "--pairs" for each in arguments)
    resumes = many or verb in _RESUMABLE
    _fail(verb, f"stopped; {'the same command resumes' if resumes else 'nothing unfinished is left'}.")
    return 128 + (signals[0] if signals else signal.SIGINT)


def _help() -> str:
    """The verbs, each with the first sentence about it; the parser of none is built."""
    verbs = "\n".join(f"  {name:10}{(verb.__doc__ or '').partition('.')[0]}." for name, verb in VERBS.items())
    more = "`s2v help VERB` lists the flags of a verb; `s2v version` prints the version."
    return f"usage: s2v VERB [FLAGS]\n\n{s2v_ray.__doc__}\n\n{verbs}\n\n{more}"


def _fail(verb: str, sentence: str) -> int:
    print(f"s2v {verb if verb in VERBS else ''}".strip() + f": {sentence}", file=sys.stderr)
    return 1
