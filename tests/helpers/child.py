"""Work in another process: a crash, a hang or a flood of memory there is a result, and not the end of the tests."""

import contextlib
import multiprocessing
import resource
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# All that verbs import on their way: each child then starts with it, also one whose user may not read it.
_PRELOADED = ["cProfile", "sqlite3", "av", "PIL.Image", "matplotlib.pyplot", "torch._dynamo", "torch.utils.tensorboard"]
_PRELOADED += [f"s2v_ray.cli.{verb}" for verb in ("main", "device", "dry_run", "tune_progress")]
_PRELOADED += [f"s2v_ray.recipes.{verb}" for verb in ("prepare", "probe", "train", "evaluate", "tune")]
_PRELOADED += ["s2v_ray.generation", "s2v_ray.cluster.sweeps"]


@dataclass(frozen=True)
class Outcome:
    """How a call ended. `fault` is "" for one that returned; otherwise "signal 11", "hang", or the traceback."""

    result: Any
    fault: str
    seconds: float
    peak_bytes: int  # the most memory that it took, beyond what the process had before


class Child:
    """A process that calls `work` with what it is given, one after the other; a new one follows where it dies.

    It ends after `seconds` for one call, and its address space is limited to `most_bytes` more than it starts with.
    """

    def __init__(self, work: Callable[..., Any], *, seconds: float, most_bytes: int | None = None) -> None:
        self.work, self.seconds, self.most_bytes = work, seconds, most_bytes
        self.process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection

    def __call__(self, *arguments: Any) -> Outcome:
        if self.process is None:
            self._start()
        started_at = time.monotonic()
        try:
            self.connection.send(arguments)
            if not self.connection.poll(self.seconds):
                return self._ended("hang", started_at)
            result, fault, peak_bytes = self.connection.recv()
        except (EOFError, ConnectionError):
            assert self.process is not None
            self.process.join()
            return self._ended(f"signal {-(self.process.exitcode or 0)}", started_at)
        return Outcome(result, fault, time.monotonic() - started_at, peak_bytes)

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None

    def _start(self) -> None:
        # Forked from a process that has imported everything and has no threads.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.work, self.most_bytes), daemon=True)
        self.process.start()
        theirs.close()
        self.connection.recv()  # once it has started

    def _ended(self, fault: str, started_at: float) -> Outcome:
        self.close()
        return Outcome(None, fault, time.monotonic() - started_at, 0)


@contextlib.contextmanager
def child(work: Callable[..., Any], *, seconds: float, most_bytes: int | None = None) -> Iterator[Child]:
    """A `Child` for the length of a block."""
    started = Child(work, seconds=seconds, most_bytes=most_bytes)
    try:
        yield started
    finally:
        started.close()


def in_child(work: Callable[..., Any], *arguments: Any, seconds: float = 120) -> Outcome:
    """One call in a process of its own."""
    with child(work, seconds=seconds) as once:
        return once(*arguments)


def memory(field: str) -> int:
    """This process's VmRSS, VmHWM (the most so far) or VmSize in bytes; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def open_files() -> int:
    """How many files this process has open; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    return 0


def _serve(connection: Connection, work: Callable[..., Any], most_bytes: int | None) -> None:
    if most_bytes is not None:
        limit = memory("VmSize") + most_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send(None)
    while True:
        try:
            arguments = connection.recv()
        except EOFError:
            return
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
        before = memory("VmRSS")
        result, fault = None, ""
        try:
            result = work(*arguments)
        except BaseException:
            fault = traceback.format_exc()
        connection.send((result, fault, max(0, memory("VmHWM") - before)))
