"""Whether a training is still healthy: finite losses, discriminators that discriminate, memory that suffices."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from s2v_ray.errors import UserError
from s2v_ray.storage.paths import Location
from s2v_ray.training.checkpoint_files import checkpoints, last_checkpoint
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.state import TrainingState
from s2v_ray.training.workers import Workers

# Below this loss (each answer is right with a probability of 0.9999), a discriminator has nothing left to learn.
_LEAST_DISCRIMINATOR_LOSS = 2e-4
# It answers everything alike if its accuracies on real and generated frames are 1 and 0, to within this.
_SAME_ANSWER = 1e-3

_Step = tuple[int, dict[str, Tensor], Batch]  # its number, its metrics and its batch


class Health:
    """Collects the metrics of steps, so that nothing waits for the device until `check`."""

    def __init__(self, state: TrainingState, run: Location, workers: Workers) -> None:
        self.state, self.run, self.workers = state, run, workers
        self.steps: list[_Step] = []
        self.collapsed_since: dict[str, int] = {}

    def add(self, metrics: dict[str, Tensor], batch: Batch) -> None:
        """Remember the metrics of the last step, and its batch."""
        self.steps.append((self.state.step, metrics, batch))

    def check(self) -> dict[str, float]:
        """The means since the last check, over steps and workers. Raises UserError if training can't continue."""
        steps, self.steps = self.steps, []
        # By the names of the last step: discriminators may have been enabled meanwhile.
        weighted = {
            name: [float(metrics[name]) * batch.loss_weight for _, metrics, batch in steps if name in metrics]
            for name in steps[-1][1]
        }
        means = self.workers.mean({name: sum(values) / len(values) for name, values in weighted.items()})
        broken = [name for name, value in means.items() if not math.isfinite(value)]
        for name, network in self.state.networks.items():
            if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
                broken.append(name)
        if broken:
            self._raise_not_finite(broken, steps)
        self._check_discriminators(means, steps)
        return means

    def _raise_not_finite(self, broken: list[str], steps: list[_Step]) -> None:
        """All workers name the first step at which any of them met it, and all of its clips."""
        own = [step for step, metrics, _ in steps if not all(bool(value.isfinite()) for value in metrics.values())]
        first = self.workers.min(float(own[0] if own else steps[-1][0]))
        clip_ids = next(batch.clip_ids for step, _, batch in steps if step == first)
        clips, good = ", ".join(self.workers.gather(clip_ids)), last_checkpoint(self.run) or "none"
        raise UserError(
            "not_finite",
            f"{', '.join(broken)} is not finite at step {first:.0f} (clips {clips}); the last good checkpoint is "
            f"{good}; train with lower learning rates into another --out, from that checkpoint by --init-from.",
        )

    def _check_discriminators(self, means: dict[str, float], steps: list[_Step]) -> None:
        limit = self.state.config.training.collapse_steps
        for discriminator in self.state.discriminators:
            name = discriminator.name
            if not _has_collapsed(name, means):
                self.collapsed_since.pop(name, None)
                continue
            since = self.collapsed_since.setdefault(name, steps[0][0])
            if limit and self.state.step - since >= limit:
                clips = ", ".join(self.workers.gather(steps[-1][2].clip_ids))
                complete = [location for location, is_complete in checkpoints(self.run).items() if is_complete]
                good = [location for location in complete if int(location[-8:]) < since]
                raise UserError(
                    "discriminator_collapsed",
                    f"{name} has collapsed: from step {since} to {self.state.step} it was certain of everything or "
                    f"answered everything alike (the last clips were {clips}), so G learns nothing from it. The last "
                    f"checkpoint before that is {good[-1] if good else 'none'}; lower "
                    f"--optim.{name.replace('_', '-')}-lr or the weight of its loss ({discriminator.weight:g}), or "
                    "disable this check by --training.collapse-steps 0.",
                )


def _has_collapsed(name: str, metrics: dict[str, float]) -> bool:
    """Whether a discriminator never errs, or gives one answer to everything."""
    same = abs(metrics[f"accuracy/{name}_real"] - metrics[f"accuracy/{name}_fake"]) > 1 - _SAME_ANSWER
    return metrics[f"loss/{name}"] < _LEAST_DISCRIMINATOR_LOSS or same


@contextmanager
def explaining_memory() -> Iterator[None]:
    """Out of memory becomes a UserError that names the settings which need less."""
    try:
        yield
    except RuntimeError as error:  # PyTorch's error of a GPU is one, too
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise UserError(
            "out_of_memory",
            f"There is not enough memory for a training step ({str(error).splitlines()[0]}); the same gradients need "
            "less with --training.frames-per-chunk 10 or --training.micro-batches 2; a smaller --training.batch-size, "
            "--data.frames-per-step or --data.resolution changes what is trained.",
        ) from error
