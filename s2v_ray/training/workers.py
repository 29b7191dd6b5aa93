"""What the processes that train together tell each other, besides gradients."""

from dataclasses import dataclass, field

import torch
import torch.distributed
from torch.distributed import ReduceOp

from s2v_ray.config import UserError


@dataclass(frozen=True)
class Workers:
    """This process among those that train together, and the device that it may be asked through."""

    rank: int = 0
    world_size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def share(self, batch_size: int) -> float:
        """This worker's clips over the mean number of clips a worker: slices may differ by one."""
        first, last = (batch_size * rank // self.world_size for rank in (self.rank, self.rank + 1))
        return (last - first) * self.world_size / batch_size

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """What at least one of the workers says: all of them leave the loop at the same step."""
        return tuple(bool(flag) for flag in self._reduce([float(flag) for flag in flags], ReduceOp.MAX))

    def mean(self, values: dict[str, float], share: float) -> dict[str, float]:
        """The means over the global batch of means over each worker's clips."""
        sums = self._reduce([share * value for value in values.values()], ReduceOp.SUM)
        return {name: value / self.world_size for name, value in zip(values, sums, strict=True)}

    def check_same_step(self, step: int) -> None:
        """Raises UserError where the workers did not resume from the same checkpoint."""
        highest, lowest = self._reduce([float(step), -float(step)], ReduceOp.MAX)
        if highest != -lowest:
            raise UserError(
                f"The workers found different checkpoints (steps {-lowest:.0f} to {highest:.0f}); "
                "--out must be a folder that all nodes share."
            )

    def _reduce(self, values: list[float], operation: ReduceOp.RedOpType) -> list[float]:
        if self.world_size == 1:
            return values
        told = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(told, op=operation)
        return told.tolist()


ALONE = Workers()
