"""Whether a training is still healthy: finite losses, discriminators that discriminate, memory that suffices."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

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


class Health:
    """Collects the metrics of steps, so that nothing waits for the device until `check`."""

    def __init__(self, state: TrainingState, run: Location, workers: Workers) -> None:
        self.state, self.run, self.workers = state, run, workers
        self.steps: list[tuple[int, dict[str, Tensor], Batch]] = []
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
        broken += [name for name, network in self.state.networks.items() if not all_finite(network)]
        if broken:
            self._raise_not_finite(broken, steps)
        self._check_discriminators(means, steps)
        return means

    def _raise_not_finite(self, broken: list[str], steps: list[tuple[int, dict[str, Tensor], Batch]]) -> None:
        """All workers name the first step at which any of them met it, and all of its clips."""
        own = [step for step, metrics, _ in steps if not all(bool(value.isfinite()) for value in metrics.values())]
        first = self.workers.min(float(own[0] if own else steps[-1][0]))
        clip_ids = next(batch.clip_ids for step, _, batch in steps if step == first)
        clips, good = ", ".join(self.workers.gather(clip_ids)), last_checkpoint(self.run) or "none"
        raise UserError(
            "not_finite",
            f"{', '.join(broken)} is not finite at step {first:.0f} (clips {clips}); "
            f"the last good checkpoint is {good}; "
            "train with lower learning rates into another --out, from that checkpoint by --init-from.",
        )

    def _check_discriminators(self, means: dict[str, float], steps: list[tuple[int, dict[str, Tensor], Batch]]) -> None:
        limit = self.state.config.training.collapse_steps
        for discriminator in self.state.discriminators:
            name = discriminator.name
            if not has_collapsed(*(means[metric] for metric in discriminator_metrics(name))):
                self.collapsed_since.pop(name, None)
                continue
            since = self.collapsed_since.setdefault(name, steps[0][0])
            if limit and self.state.step - since >= limit:
                clips = ", ".join(self.workers.gather(steps[-1][2].clip_ids))
                good = [
                    location
                    for location, complete in checkpoints(self.run).items()
                    if complete and int(location[-8:]) < since
                ]
                raise UserError(
                    "discriminator_collapsed",
                    f"{name} has collapsed: from step {since} to {self.state.step} it was certain of everything or "
                    f"answered everything alike (the last clips were {clips}), so G learns nothing from it. The last "
                    f"checkpoint before that is {good[-1] if good else 'none'}; lower "
                    f"--optim.{name.replace('_', '-')}-lr or the weight of its loss ({discriminator.weight:g}), or "
                    "disable this check by --training.collapse-steps 0.",
                )


def discriminator_metrics(name: str) -> tuple[str, str, str]:
    """The names of a discriminator's metrics: its loss, and its accuracies on real and on generated frames."""
    return f"loss/{name}", f"accuracy/{name}_real", f"accuracy/{name}_fake"


def has_collapsed(loss: float, on_real: float, on_fake: float) -> bool:
    """Whether a discriminator never errs, or gives one answer to everything."""
    return loss < _LEAST_DISCRIMINATOR_LOSS or abs(on_real - on_fake) > 1 - _SAME_ANSWER


def all_finite(network: nn.Module) -> bool:
    """Whether all weights are finite."""
    return all(bool(parameter.isfinite().all()) for parameter in network.parameters())


@contextmanager
def explaining_memory() -> Iterator[None]:
    """Out of memory becomes a UserError that names the settings which need less."""
    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise UserError(
            "out_of_memory",
            f"There is not enough memory for a training step ({str(error).splitlines()[0]}); the same gradients need "
            "less with --training.frames-per-chunk 10 or --training.micro-batches 2; a smaller --training.batch-size, "
            "--data.frames-per-step or --data.resolution changes what is trained.",
        ) from error
