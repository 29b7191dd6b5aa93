"""The command line: each verb is a function, its flags are that function's arguments."""

import difflib
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import s2v_ray
from s2v_ray.cli.demo import demo
from s2v_ray.cli.evaluate import evaluate
from s2v_ray.cli.flags import parse
from s2v_ray.cli.generate import generate
from s2v_ray.cli.info import info
from s2v_ray.cli.prepare import prepare
from s2v_ray.cli.probe import probe
from s2v_ray.cli.synth import synth
from s2v_ray.cli.train import train
from s2v_ray.cli.tune import tune
from s2v_ray.errors import UserError
from s2v_ray.storage.paths import refuse_password
from s2v_ray.training.interrupt import handling

VERBS: dict[str, Callable[..., Any]] = {
    verb.__name__: verb for verb in (demo, synth, prepare, probe, train, evaluate, generate, tune, info)
}
_RESUMABLE = ("demo", "prepare", "train", "tune")


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the status for the shell. A user's mistake is one sentence on stderr and status 1."""
    verb, *arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        if verb in ("-h", "--help", "--version"):
            print(f"s2v {s2v_ray.__version__}" if verb == "--version" else _help())
            return 0
        if verb not in VERBS:
            nearest = difflib.get_close_matches(verb, VERBS, n=1)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(VERBS)}."
            raise UserError("unknown_verb", f"There is no verb '{verb}'; {hint}")
        for argument in arguments:
            refuse_password(argument)
        # Unwinds the program, so that unfinished files are removed. Training handles signals itself.
        with handling(_terminate, signal.SIGTERM):
            parse(verb, VERBS[verb], arguments)()
    except UserError as error:
        return _fail(verb, f"{error} [{error.code}]")
    except OSError as error:
        file = f"'{error.filename}'" if error.filename else "A file"
        return _fail(verb, f"{file} can't be read or written: {error.strerror or error}; name another. [unusable_file]")
    except KeyboardInterrupt as stopped:
        resumes = "the same command resumes" if verb in _RESUMABLE else "nothing unfinished is left"
        _fail(verb, f"stopped; {resumes}.")
        return 128 + (signal.SIGTERM if isinstance(stopped, _Terminated) else signal.SIGINT)
    return 0


def _help() -> str:
    """The verbs, each with the first sentence about it; the parser of none is built."""
    verbs = "\n".join(f"  {name:10}{(verb.__doc__ or '').partition('.')[0]}." for name, verb in VERBS.items())
    more = "`s2v VERB --help` lists the flags of a verb; `s2v --version` prints the version."
    return f"usage: s2v VERB [FLAGS]\n\n{s2v_ray.__doc__}\n\n{verbs}\n\n{more}"


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as from `ray job stop`."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def _fail(verb: str, sentence: str) -> int:
    print(f"s2v {verb if verb in VERBS else ''}".strip() + f": {sentence}", file=sys.stderr)
    return 1
