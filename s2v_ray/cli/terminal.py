"""What the terminal, or the program at the other end of a pipe, can take."""

import atexit
import contextlib
import io
import os
import select
import signal
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from rich.console import Console

NO_COLOR = "NO_COLOR"  # https://no-color.org: any value that is not empty
CLOSED_PIPE = 128 + signal.SIGPIPE  # the status of a program that the signal ended


def is_live() -> bool:
    """Whether what is printed can be painted over, as bars and tables that change are: in a terminal alone."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get(NO_COLOR)


def console(*, plain_width: int | None = None) -> Console:
    """Where tables are printed: `plain_width` characters wide where that is no terminal; no codes with NO_COLOR."""
    plain = bool(os.environ.get(NO_COLOR))  # Rich itself would leave out the colours alone, not bold and such
    made = Console(force_terminal=False if plain else None, highlight=False)
    return made if made.is_terminal or plain_width is None else Console(width=plain_width, force_terminal=False)


@contextlib.contextmanager
def plain_text() -> Iterator[None]:
    """With NO_COLOR, print what is printed within without codes: to what is no terminal, none are written."""
    if not os.environ.get(NO_COLOR):
        yield
        return
    stdout = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            yield
        finally:
            stdout.write(printed.getvalue())


def open_closed_streams() -> None:
    """Print to nowhere where the shell has closed stdout or stderr, as `>&-` does: Python has None there."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - as long as the program runs
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115


def replace_unprintable() -> None:
    """Print a question mark or an escape for what the terminal's encoding lacks, and for names that are no text."""
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=errors)


def flush_output() -> int:
    """Print what is still to be printed; returns 0, or the status to end with if that is impossible.

    Then what is printed goes nowhere from here on, as Python would otherwise complain at exit.
    """
    if os.environ.get(NO_COLOR) and (colorama := sys.modules.get("colorama.initialise")):
        atexit.unregister(colorama.reset_all)  # of Ray's, which would print a code at exit
    status = 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
            if _has_no_reader(stream):  # what was not buffered has been lost already
                raise BrokenPipeError
        except OSError as error:
            status = CLOSED_PIPE if isinstance(error, BrokenPipeError) else 1
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
    return status


def _has_no_reader(stream: TextIO) -> bool:
    """Whether it is a pipe whose other end is closed."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError):  # no file, as in a test
        return False
