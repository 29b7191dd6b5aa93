"""`--quiet`, `--verbose` and `--json`, of every verb: what is printed, and where."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import s2v_ray
from s2v_ray.cli.result import Result, plain
from s2v_ray.errors import UserError

MANNERS = {
    "--quiet": "print only errors and the paths of what was written",
    "--verbose": "also what Ray and other libraries log, how long it took, and tracebacks of errors",
    "--json": "print one JSON object for scripts; all text goes to stderr",
}


@dataclass(frozen=True)
class Manner:
    """Which of these flags were given."""

    quiet: bool = False
    verbose: bool = False
    json: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a verb ended: its status for the shell, what it returned, and why it failed."""

    status: int = 0
    result: Result | None = None
    code: str = ""
    message: str = ""
    error: Exception | None = None


def split_manner(arguments: list[str]) -> tuple[Manner, list[str]]:
    """The manner, whose flags may stand before or after the verb, and the other arguments."""
    manner = Manner(**{field.name: f"--{field.name}" in arguments for field in fields(Manner)})
    return manner, [argument for argument in arguments if argument not in MANNERS]


def check_manner(manner: Manner) -> None:
    """Raise UserError where the flags contradict each other."""
    if manner.quiet and manner.verbose:
        raise UserError("bad_flags", "--quiet and --verbose contradict each other; drop one.")


_print_result: Callable[[Outcome], None] | None = None  # of the verb that runs; like sys.stdout, the process's own


def announce(result: Result) -> None:
    """With --json or --quiet, print the result of a verb now that then runs until it is stopped, as its address."""
    if _print_result:
        _print_result(Outcome(result=result))


@contextlib.contextmanager
def speaking(verb: str, manner: Manner) -> Iterator[Callable[[Outcome], None]]:
    """Within, what a verb prints goes where its manner wants it; call what it yields with how the verb ended, once."""
    global _print_result
    stdout, started, announced = sys.stdout, time.monotonic(), False
    held = io.StringIO()

    def print_result(outcome: Outcome) -> None:
        nonlocal announced
        if announced:
            return
        announced = True
        if manner.json:
            print(_as_json(verb, outcome, time.monotonic() - started), file=stdout, flush=True)
        elif manner.quiet and not outcome.status:
            paths = _paths(outcome.result or {})
            # Of a verb that writes nothing, what it says is the result.
            print(*paths, sep="\n", file=stdout, flush=True) if paths else stdout.write(held.getvalue())

    _print_result = print_result
    try:
        with contextlib.ExitStack() as until:
            if manner.json:
                until.enter_context(contextlib.redirect_stdout(sys.stderr))
            elif manner.quiet:
                until.enter_context(contextlib.redirect_stdout(held))
            if manner.quiet:
                until.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
            if manner.verbose:
                until.enter_context(_logging())
            yield print_result
            if manner.verbose:
                print(f"s2v {verb} took {time.monotonic() - started:.2f} s.", file=sys.stderr)
    finally:
        _print_result = None


def _as_json(verb: str, outcome: Outcome, seconds: float) -> str:
    """The object, in one line of ASCII: so that no encoding of a terminal damages a name."""
    answer: Result = {"verb": verb, "ok": not outcome.status, "version": s2v_ray.__version__}
    answer["elapsed_seconds"] = round(seconds, 3)
    if outcome.status:
        answer["error"] = {"code": outcome.code, "message": outcome.message}
    if outcome.result is not None or not outcome.status:
        answer |= {"outputs": {}, "next": []} | (outcome.result or {})
    return json.dumps(plain(answer), allow_nan=False)


def _paths(result: Result) -> list[str]:
    """What was written, or, of a service, where it is."""
    address = result.get("address")
    return [address] if address else [str(path) for path in result.get("outputs", {}).values()]


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    """Print what libraries log, on stderr; `s2v_ray.logs` looks at this level."""
    root = logging.getLogger()
    before = root.level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
