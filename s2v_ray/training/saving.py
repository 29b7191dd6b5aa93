"""Saving while training continues: one checkpoint at a time is written in a thread, then old ones are removed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from s2v_ray.errors import StoreError, UserError
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import Location
from s2v_ray.training.checkpoint import Snapshot, take_snapshot, write_checkpoint
from s2v_ray.training.checkpoint_files import last_checkpoint, remove_old_checkpoints
from s2v_ray.training.state import TrainingState


class CheckpointWriter(ExitStack):
    """Writes checkpoints in a thread, each after a call of `first`, and keeps the last `keep` of a run.

    Use it as a context: what it is writing at the end is finished.
    """

    def __init__(self, run: Location, keep: int, first: Callable[[], None]) -> None:
        super().__init__()
        self.run, self.keep, self.first = run, keep, first
        self.last = last_checkpoint(run)
        self._thread = self.enter_context(ThreadPoolExecutor(1, thread_name_prefix="checkpoints"))
        self._writing: Future[str] | None = None

    def save(self, state: TrainingState, *, best: bool, then: Callable[[str], None] | None = None) -> None:
        """Start to write the state as it is now; call `finish` before the next one.

        `then` is called with its location, in the thread, when it is written.
        """
        self._writing = self._thread.submit(self._write, take_snapshot(state), best, then)

    def finish(self) -> str:
        """Wait until the checkpoint is written; returns its location, or "" if none was being written.

        Raises UserError if it could not be written; earlier ones are untouched.
        """
        writing, self._writing = self._writing, None
        try:
            return writing.result() if writing else ""
        except (OSError, StoreError) as error:
            why = error.reason.rstrip(".") if isinstance(error, StoreError) else reason(error)
            raise UserError(
                "checkpoint_not_written",
                f"A checkpoint could not be written to '{self.run}' ({why}). Give the same command "
                f"afterwards: it resumes from {self.last or 'the start'}.",
            ) from error

    def _write(self, snapshot: Snapshot, best: bool, then: Callable[[str], None] | None) -> str:
        self.first()
        self.last = write_checkpoint(self.run, snapshot, best=best)
        _, description = snapshot
        unscored = description["unscored"]
        remove_old_checkpoints(self.run, self.keep, unscored=unscored and unscored["step"])
        if then:
            then(self.last)
        return self.last
