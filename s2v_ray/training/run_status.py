"""What a run is doing, for those who look at it from another process or machine: `status.json` in its directory."""

import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from types import TracebackType

from s2v_ray.dataset.typed import typed
from s2v_ray.errors import StoreError
from s2v_ray.storage.files import exists, read_bytes, write_bytes
from s2v_ray.storage.paths import Location, is_uri, join
from s2v_ray.tracking.tracker import FAILED, FINISHED, STOPPED
from s2v_ray.training.schedule import TrainingStatus

RUNNING = "running"  # or it is FINISHED, STOPPED or FAILED
_FILE = "status.json"
_LATEST, _LARGEST = 1e11, 1e300  # of times, in seconds, and of other numbers
_SECONDS_BETWEEN_WRITES, _IN_A_STORE = 5.0, 30.0


@dataclass(frozen=True)
class RunStatus:
    """How far a run is, or how it ended. Times are in seconds since 1970; `started` is that of the last start."""

    state: str
    host: str  # of the first worker
    started: float
    updated: float
    step: int = 0
    done: float = 0.0  # the part of the budget that is spent, 0 to 1
    seconds_left: float | None = None  # None before anything is known of it
    clips_per_second: float = 0.0
    waiting_share: float = 0.0  # of the time, for data, 0 to 1
    values: Mapping[str, float] = field(default_factory=dict)  # the last losses, accuracies and score
    failure: str = ""  # why it failed


def read_status(run: Location) -> RunStatus | None:
    """What a run last wrote of itself; None if it wrote nothing, or something else than this."""
    path = join(run, _FILE)
    if not exists(path):
        return None
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        status: RunStatus = typed(json.loads(read_bytes(path)), RunStatus)
        if _is_possible(status):
            return status
    return None


class StatusWriter(AbstractContextManager["StatusWriter"]):
    """Keeps a run's `status.json`, every few seconds at most. Call it with each status, and `end` it.

    What ends it with an error has failed, what a second Ctrl-C ends has stopped. A training goes on where this file
    can't be written.
    """

    def __init__(self, run: Location, step: int, clock: Callable[[], float] = time.time) -> None:
        self.run, self.clock = run, clock
        self.period = _IN_A_STORE if is_uri(run) else _SECONDS_BETWEEN_WRITES
        now = clock()
        self.status = RunStatus(RUNNING, socket.gethostname(), started=now, updated=now, step=step)
        self._write()

    def __call__(self, status: TrainingStatus) -> None:
        written, now = self.status.updated, self.clock()
        self.status = replace(
            self.status,
            step=status.step,
            done=status.done,
            seconds_left=status.seconds_left,
            clips_per_second=status.clips_per_second,
            waiting_share=status.waiting_share,
            values=status.values,
        )
        if not 0 <= now - written < self.period:  # also after the clock was set back
            self._write()

    def end(self, step: int, *, finished: bool) -> None:
        """The training is over, at this step: its budget is spent, or it was stopped before."""
        done = 1.0 if finished else self.status.done
        self.status = replace(self.status, state=FINISHED if finished else STOPPED, step=step, done=done)
        self._write()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            why = "".join(letter if letter.isprintable() else " " for letter in str(error))
            self.status = replace(self.status, state=FAILED, failure=" ".join(why.split()) or type(error).__name__)
            self._write()
        elif error is not None:
            self.status = replace(self.status, state=STOPPED)
            self._write()

    def _write(self) -> None:
        self.status = replace(self.status, updated=self.clock())
        with suppress(OSError, StoreError):
            write_bytes(join(self.run, _FILE), json.dumps(asdict(self.status), indent=1).encode())


def _is_possible(status: RunStatus) -> bool:
    """Whether a stranger's file can be shown: finite numbers, and nothing that moves a terminal's cursor."""
    times = (status.started, status.updated, status.seconds_left or 0.0)
    others = (status.step, status.done, status.clips_per_second, status.waiting_share, *status.values.values())
    if not (all(0 <= each < _LATEST for each in times) and all(abs(each) < _LARGEST for each in others)):
        return False
    return all(text.isprintable() for text in (status.host, status.failure, *status.values))
