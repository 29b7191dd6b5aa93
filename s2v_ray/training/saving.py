"""Saving while training goes on: one checkpoint at a time is written in a thread, then old ones are removed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from s2v_ray.errors import StoreError, UserError
from s2v_ray.storage.paths import Location
from s2v_ray.training.checkpoint import (
    Snapshot,
    best_checkpoint,
    checkpoints,
    last_checkpoint,
    remove_checkpoint,
    take_snapshot,
    write_checkpoint,
)
from s2v_ray.training.state import TrainingState


class CheckpointWriter:
    """Writes checkpoints beside the training, one at a time, and removes the old ones."""

    def __init__(self, run: Location, keep: int, *, first: Callable[[], None] = lambda: None) -> None:
        self.run, self.keep, self.first = run, keep, first
        self.last = last_checkpoint(run)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._writing: Future[str] | None = None

    def __enter__(self) -> "CheckpointWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def save(self, state: TrainingState, *, best: bool) -> None:
        """Begin to write the state as it is now; call `finish` before the next one."""
        self._writing = self._thread.submit(self._write, take_snapshot(state), best)

    def finish(self) -> str:
        """Wait until it is written; returns its location, or "" where there is none.

        Raises UserError where it could not be written; those before it are as they were.
        """
        writing, self._writing = self._writing, None
        try:
            return writing.result() if writing else ""
        except (OSError, StoreError) as error:
            reason = error.reason if isinstance(error, StoreError) else error.strerror or error
            sentence = (
                f"A checkpoint could not be written to '{self.run}' ({reason}); make room or mend the "
                f"place, then give the same command: it goes on from {self.last or 'the start'}."
            )
            raise UserError(sentence) from error

    def _write(self, taken: Snapshot, best: bool) -> str:
        self.first()
        self.last = write_checkpoint(self.run, taken, best=best)
        remove_old_checkpoints(self.run, self.keep)
        return self.last


def remove_old_checkpoints(run: Location, keep: int) -> None:
    """Remove what was never finished, and all whole ones but the last `keep`, the best and the last."""
    found = checkpoints(run)
    whole = [location for location, is_whole in found.items() if is_whole]
    kept = {*whole[-keep:], best_checkpoint(run), last_checkpoint(run)}
    for location in found:
        if location not in kept:
            remove_checkpoint(location)
