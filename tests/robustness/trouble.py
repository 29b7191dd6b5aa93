"""What can be wrong with an input, and how to run a command under trouble."""

import contextlib
import io
import os
import re
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from s2v_ray.cli.main import main

_SENTENCE = re.compile(r"s2v \w+: .+ \[[a-z_0-9]+\]\n")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_NOBODY = 65534


@dataclass(frozen=True)
class Ended:
    """How a command ended, and how many files and folders it had opened to write, renamed or removed."""

    status: int
    printed: str
    error: str
    writes: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether it ended as a command that can't be done: one sentence with a code."""
        return self.status == 1 and _SENTENCE.fullmatch(self.error) is not None


def run(arguments: list[str]) -> Ended:
    """A command, in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(arguments)
    return Ended(status, out.getvalue(), err.getvalue())


def run_on_small_disk(arguments: list[str], most_bytes: int) -> Ended:
    """A command for which no file can grow beyond `most_bytes`. For a process of its own."""
    sys.dont_write_bytecode = True  # Python would keep what it compiled in half
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
    return run(arguments)


def run_as_anybody(arguments: list[str]) -> Ended:
    """A command by a user whom permissions bind. For a process of its own."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    return run(arguments)


def run_killed(arguments: list[str], inside: Path, write: int) -> Ended:
    """A command whose process is killed before its `write`-th write inside a folder. For a process of its own."""
    done = 0

    def watch(event: str, details: tuple[object, ...]) -> None:
        nonlocal done
        if event == "open":
            path, _, flags = details
            writes = isinstance(flags, int) and flags & _WRITING
        else:
            path, writes = details[0] if details else "", event in _CHANGES
        if writes and isinstance(path, str | bytes) and os.fsdecode(path).startswith(str(inside)):
            done += 1
            if done == write:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    ended = run(arguments)
    return Ended(ended.status, ended.printed, ended.error, done)


_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


def missing(good: Path, at: Path) -> None:
    """Nothing is there."""


def empty(good: Path, at: Path) -> None:
    """An empty file or folder."""
    at.mkdir() if good.is_dir() else at.touch()


def text(good: Path, at: Path) -> None:
    """A letter."""
    at.write_text("Dear all,\n" * 100)


def other_kind(good: Path, at: Path) -> None:
    """A folder for a file, a file for a folder."""
    at.write_bytes(b"\0" * 1000) if good.is_dir() else at.mkdir()


def half(good: Path, at: Path) -> None:
    """The first half; of a folder, of its largest file."""
    copy(good, at)
    largest = max((path for path in [at, *at.rglob("*")] if path.is_file()), key=lambda path: path.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)


def unreadable(good: Path, at: Path) -> None:
    """The right thing, which nobody may read."""
    copy(good, at)
    at.chmod(0)


def copy(good: Path, at: Path) -> None:
    """The right thing."""
    shutil.copytree(good, at) if good.is_dir() else shutil.copyfile(good, at)


Trouble = Callable[[Path, Path], None]
REFUSED: dict[str, Trouble] = {"missing": missing, "empty": empty, "text": text, "other kind": other_kind}

# One name with most of what shells, URLs, globs and terminals take otherwise; and each alone, for the long tests.
ALL_CHARACTERS = " é漢 '\"`%20#&;$(x)~,=@!-{1}|<>\\"
CHARACTERS = [*" '\"`%#&;$~,=@!|<>\\:?*[]{}\n\t\x1b\x7f"]
CHARACTERS += ["é", "e\u0301", "漢", "🎆", "%20", "$(x)", "-v", "..x", "x" * 200]
NOT_UTF8 = os.fsdecode(b"caf\xe9")


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of all files below a folder."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_dir()
    }
