"""What the processes that train together exchange, besides gradients."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.distributed
from torch.distributed import ProcessGroup, ReduceOp

from s2v_ray.errors import UserError
from s2v_ray.training.schedule import TrainingStatus

T = TypeVar("T")

# Workers that wait for the first one hear of it this often: a group gives up a worker that is silent for long.
_SECONDS_BETWEEN_SIGNS = 1.0


@dataclass(frozen=True)
class Workers:
    """This process among those that train together, its device, and the (CPU) group they communicate through."""

    rank: int = 0
    world_size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    group: ProcessGroup | None = None
    submit: Callable[..., "Future[Any]"] | None = None  # runs a function on a spare CPU or GPU, if there is one
    watch: Callable[[TrainingStatus], None] = lambda status: None  # for who supervises: called on each worker

    def wait_for(self, work: "Future[Any] | None") -> None:
        """Return on all workers once the first one's `work` is done (None: it has none), however long that takes."""
        waiting = True
        while waiting:
            unfinished = self.rank == 0 and work is not None and not wait([work], _SECONDS_BETWEEN_SIGNS).done
            waiting = bool(self.max(unfinished)[0])

    def on_first(self, work: Callable[[], T]) -> T | None:
        """What `work` returns on the first worker, for which the others wait however long it takes; None on these."""
        if self.world_size == 1:
            return work()
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(work) if self.rank == 0 else None
            self.wait_for(running)
            return running.result() if running else None

    def max(self, *values: float) -> list[float]:
        """The largest of each over the workers, a flag being 1 or 0: all do the same at the same step."""
        return self._reduce([float(value) for value in values], ReduceOp.MAX)

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """The mean of each over the workers."""
        sums = self._reduce(list(values.values()), ReduceOp.SUM)
        return {name: value / self.world_size for name, value in zip(values, sums, strict=True)}

    def sum(self, *counts: int) -> tuple[int, ...]:
        """The sum of each over the workers."""
        return tuple(int(total) for total in self._reduce([float(count) for count in counts], ReduceOp.SUM))

    def min(self, value: float) -> float:
        """The smallest over the workers."""
        return -self._reduce([-value], ReduceOp.MAX)[0]

    def gather(self, values: list[T]) -> list[T]:
        """The values of all workers, in the order of their ranks."""
        if self.world_size == 1:
            return values
        gathered: list[list[T]] = [[] for _ in range(self.world_size)]
        torch.distributed.all_gather_object(gathered, values, group=self.group)
        return [value for some in gathered for value in some]

    def check_same_step(self, step: int) -> None:
        """Raises UserError if the workers did not resume from the same checkpoint."""
        highest, lowest = self._reduce([float(step), -float(step)], ReduceOp.MAX)
        if highest != -lowest:
            raise UserError(
                "different_checkpoints",
                f"The workers found different checkpoints (steps {-lowest:.0f} to {highest:.0f}); "
                "--out must be a folder that all nodes share.",
            )

    def _reduce(self, values: list[float], operation: ReduceOp.RedOpType) -> list[float]:
        if self.world_size == 1:
            return values
        reduced = torch.tensor(values, dtype=torch.float64)
        torch.distributed.all_reduce(reduced, op=operation, group=self.group)
        return reduced.tolist()


ALONE = Workers()
