"""Whether a training is still one: finite losses, discriminators that discriminate, memory that suffices."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from s2v_ray.errors import UserError
from s2v_ray.storage.paths import Location
from s2v_ray.training.checkpoint import checkpoints, last_checkpoint
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.state import TrainingState
from s2v_ray.training.workers import Workers

# Below this loss (each answer is right with a probability of 0.9999), a discriminator has nothing left to learn.
_LEAST_JUDGE_LOSS = 2e-4
# It says the same of everything where its accuracies on real and made frames are 1 and 0, to within this.
_SAME_ANSWER = 1e-3


class Health:
    """Collects what steps tell, so that nothing waits for the device until `check`."""

    def __init__(self, state: TrainingState, run: Location, workers: Workers) -> None:
        self.state, self.run, self.workers = state, run, workers
        self.told: list[tuple[int, dict[str, Tensor], Batch]] = []
        self.useless_since: dict[str, int] = {}

    def add(self, told: dict[str, Tensor], batch: Batch) -> None:
        """Remember what the last step told of its batch."""
        self.told.append((self.state.step, told, batch))

    def check(self) -> dict[str, float]:
        """The means, since the last check, over steps and workers. Raises UserError where training can't go on."""
        told, self.told = self.told, []
        # Discriminators may have joined meanwhile.
        shares = {
            name: [float(values[name]) * batch.share for _, values, batch in told if name in values]
            for name in told[-1][1]
        }
        mine = {name: sum(values) / len(values) for name, values in shares.items()}
        values = self.workers.mean(mine)
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        broken += [name for name, network in self.state.networks.items() if not all_finite(network)]
        if broken:
            self._refuse_to_go_on(broken, told)
        self._check_judges(values, told)
        return values

    def _refuse_to_go_on(self, broken: list[str], told: list[tuple[int, dict[str, Tensor], Batch]]) -> None:
        """All workers name the step at which the first of them met it, and all of its clips."""
        own = [step for step, values, _ in told if not all(bool(value.isfinite()) for value in values.values())]
        first = self.workers.least(float(own[0] if own else told[-1][0]))
        clip_ids = next(batch.clip_ids for step, _, batch in told if step == first)
        clips, good = ", ".join(self.workers.gather(clip_ids)), last_checkpoint(self.run) or "none"
        raise UserError(
            f"{', '.join(broken)} is not finite at step {first:.0f} (clips {clips}); "
            f"the last good checkpoint is {good}; "
            "train with lower learning rates into another --out, from that checkpoint by --init-from."
        )

    def _check_judges(self, values: dict[str, float], told: list[tuple[int, dict[str, Tensor], Batch]]) -> None:
        limit = self.state.config.training.collapse_steps
        for judge, weight in self.state.judges.items():
            if not useless(*(values[name] for name in judge_values(judge))):
                self.useless_since.pop(judge, None)
                continue
            since = self.useless_since.setdefault(judge, told[0][0])
            if limit and self.state.step - since >= limit:
                clips = ", ".join(self.workers.gather(told[-1][2].clip_ids))
                good = [
                    location
                    for location, whole in checkpoints(self.run).items()
                    if whole and int(location[-8:]) < since
                ]
                raise UserError(
                    f"{judge} has collapsed: from step {since} to {self.state.step} it was sure of everything or said "
                    f"the same of everything (clips {clips} in the end), so it teaches nothing. The last checkpoint "
                    f"before that is {good[-1] if good else 'none'}; lower --optim.{judge.replace('_', '-')}-lr or the "
                    f"weight of its loss ({weight:g}), or let it be by --training.collapse-steps 0."
                )


def judge_values(judge: str) -> tuple[str, str, str]:
    """The names under which a step tells of a discriminator: loss, and accuracies on real and on made frames."""
    return f"loss/{judge}", f"accuracy/{judge}_real", f"accuracy/{judge}_fake"


def useless(loss: float, on_real: float, on_fake: float) -> bool:
    """Whether a discriminator errs nowhere, or gives one answer to everything."""
    return loss < _LEAST_JUDGE_LOSS or abs(on_real - on_fake) > 1 - _SAME_ANSWER


def all_finite(network: nn.Module) -> bool:
    """Whether all weights are numbers."""
    return all(bool(parameter.isfinite().all()) for parameter in network.parameters())


@contextmanager
def naming_memory_settings() -> Iterator[None]:
    """Out of memory becomes a UserError that names the settings which need less."""
    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise UserError(
            f"There is not enough memory for a training step ({str(error).splitlines()[0]}); the same gradients need "
            "less by --training.frames-per-chunk 10 or --training.micro-batches 2; a smaller --training.batch-size, "
            "--data.frames-per-step or --data.resolution changes what is trained."
        ) from error
