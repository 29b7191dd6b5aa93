"""The command line: each verb is a function, its flags are that function's arguments."""

import difflib
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import s2v_ray
from s2v_ray.cli.app import app
from s2v_ray.cli.completion import completion_script
from s2v_ray.cli.convert import convert
from s2v_ray.cli.demo import demo
from s2v_ray.cli.evaluate import evaluate
from s2v_ray.cli.export import export
from s2v_ray.cli.flags import parse
from s2v_ray.cli.generate import generate
from s2v_ray.cli.info import info
from s2v_ray.cli.job_output import refuse_relative_out
from s2v_ray.cli.manner import MANNERS, Manner, Outcome, check_manner, speaking, split_manner
from s2v_ray.cli.merge import merge
from s2v_ray.cli.prepare import prepare
from s2v_ray.cli.probe import probe
from s2v_ray.cli.result import PartlyDoneError, Result
from s2v_ray.cli.serve import serve
from s2v_ray.cli.synth import synth
from s2v_ray.cli.terminal import CLOSED_PIPE, flush_output, open_closed_streams, replace_unprintable
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

# Statuses for the shell, beside 128 + the number of the signal that ended the program.
FAILED, NO_COMMAND, PARTLY_DONE = 1, 2, 3
_NO_COMMAND = {
    "unknown_verb",
    "unknown_flag",
    "renamed_setting",
    "missing_flag",
    "wrong_value",
    "bad_flags",
    "wrong_flags",
}
_STATUSES = (
    "Exit status: 0 done; 1 not done; 2 wrong verb or flags; 3 done in part; 130 or 143 stopped by Ctrl-C or SIGTERM; "
    "141 nobody reads what is printed."
)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the status for the shell. A user's mistake is one sentence on stderr and status 1 or 2."""
    given = sys.argv[1:] if arguments is None else arguments
    open_closed_streams()
    replace_unprintable()
    manner, given = split_manner(given)
    try:
        status = _run(*_normalised(given), manner)
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


def _run(verb: str, arguments: list[str], manner: Manner) -> int:
    if "--help" in (verb, *arguments) or "-h" in arguments:
        manner = Manner()  # help is for people
    with speaking(verb.removeprefix("--"), manner) as print_result:
        try:
            outcome = _outcome(verb, arguments, manner)
        except Exception as error:  # a bug, whose traceback Python prints
            print_result(Outcome(FAILED, None, "internal_error", f"{type(error).__name__}: {error}"))
            raise
        if outcome.status and outcome.message:
            if manner.verbose and outcome.error:
                traceback.print_exception(outcome.error)
            code = f" [{outcome.code}]" if outcome.status < 128 else ""
            name = verb if verb in VERBS else ""
            print(f"s2v {name}".strip() + f": {outcome.message}{code}", file=sys.stderr)
        print_result(outcome)
    return outcome.status


def _outcome(verb: str, arguments: list[str], manner: Manner) -> Outcome:
    """Run the verb; what people may do about its failure becomes a sentence."""
    stopped: list[int] = []  # the signals that came

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    try:
        # They unwind the program, so that unfinished files are removed. Training handles signals itself.
        with handling(stop, signal.SIGTERM, signal.SIGINT):
            check_manner(manner)
            return Outcome(result=_call(verb, arguments))
    except UserError as error:
        result = error.result if isinstance(error, PartlyDoneError) else None
        status = PARTLY_DONE if result is not None else NO_COMMAND if error.code in _NO_COMMAND else FAILED
        return Outcome(status, result, error.code, str(error), error)
    except KeyboardInterrupt:
        return _stopped(verb, arguments, stopped)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and (status := flush_output()):  # as of `s2v ... | head`
            return Outcome(status, code="closed_pipe")
        if stopped:  # modules in C that are stopped while they are imported raise other errors
            return _stopped(verb, arguments, stopped)
        if not isinstance(error, OSError):
            raise
        file = f"'{error.filename}'" if error.filename else "A file"
        why = f"{file} can't be read or written: {reason(error)}."
        return Outcome(FAILED, None, "unusable_file", why, error)


def _call(verb: str, arguments: list[str]) -> Result | None:
    if verb in ("--help", "--version"):
        print(f"s2v {s2v_ray.__version__}" if verb == "--version" else _help())
        return None
    if verb == "--print-completion":
        print(completion_script(arguments, VERBS))
        return None
    if verb not in VERBS:
        nearest = difflib.get_close_matches(verb, [*VERBS, "help", "version"], n=1)
        hint = f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(VERBS)}."
        raise UserError("unknown_verb", f"There is no verb '{verb}'; {hint}")
    for argument in arguments:
        refuse_password(argument)
    refuse_relative_out(arguments)
    result: Result | None = parse(verb, VERBS[verb], arguments)()
    return result


def _stopped(verb: str, arguments: list[str], signals: list[int]) -> Outcome:
    many = verb == "generate" and any(each.partition("=")[0] == "--pairs" for each in arguments)
    resumes = many or verb in _RESUMABLE
    message = f"stopped; {'the same command resumes' if resumes else 'nothing unfinished is left'}."
    return Outcome(128 + (signals[0] if signals else signal.SIGINT), None, "stopped", message)


def _help() -> str:
    """The verbs, each with the first sentence about it; the parser of none is built."""
    verbs = "\n".join(f"  {name:11}{(verb.__doc__ or '').partition('.')[0]}." for name, verb in VERBS.items())
    manners = "\n".join(f"  {flag:11}{meaning[0].upper()}{meaning[1:]}." for flag, meaning in MANNERS.items())
    more = (
        "`s2v help VERB` lists the flags of a verb; `s2v version` prints the version; `s2v --print-completion SHELL` "
        "prints what completes them in bash, zsh, fish or tcsh."
    )
    return (
        f"usage: s2v VERB [FLAGS]\n\n{s2v_ray.__doc__}\n\n{verbs}\n\nWith every verb:\n{manners}\n\n{more}\n{_STATUSES}"
    )
