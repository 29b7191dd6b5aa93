"""The order of training: one endless seeded sequence of clips, cut into global batches, sliced over the workers.

All of it is a function of (seed, step), so that a run resumes exactly and on any number of workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from s2v_ray.errors import UserError


@dataclass(frozen=True)
class Draw:
    """One clip of one step: `clip` is its index in the data set, `index` its own in the global batch."""

    clip: int
    step: int
    index: int


def global_batch(step: int, *, clip_count: int, batch_size: int, seed: int) -> list[Draw]:
    """The clips of a step: every epoch is a permutation of all clips, and epochs follow each other without a gap."""
    first = step * batch_size
    draws = []
    for index in range(batch_size):
        epoch, offset = divmod(first + index, clip_count)
        draws.append(Draw(int(_permutation(epoch, clip_count, seed)[offset]), step, index))
    return draws


def rank_slice(batch: list[Draw], *, rank: int, world_size: int) -> list[Draw]:
    """This worker's part: slices differ in length by at most one. Raises UserError if a worker would have none."""
    if world_size > len(batch):
        raise UserError(
            "too_many_workers",
            f"{world_size} workers can't share a batch of {len(batch)} clips; "
            f"use at most {len(batch)} workers or a larger --training.batch-size.",
        )
    return batch[len(batch) * rank // world_size : len(batch) * (rank + 1) // world_size]


class EndlessBatches:
    """A batch sampler for torch's DataLoader: this worker's draws of step `first_step` and of all after it."""

    def __init__(
        self, *, clip_count: int, batch_size: int, seed: int, first_step: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        self.settings = {"clip_count": clip_count, "batch_size": batch_size, "seed": seed}
        self.first_step, self.rank, self.world_size = first_step, rank, world_size

    def __iter__(self) -> Iterator[list[Draw]]:
        step = self.first_step
        while True:
            yield rank_slice(global_batch(step, **self.settings), rank=self.rank, world_size=self.world_size)
            step += 1


@lru_cache(maxsize=2)
def _permutation(epoch: int, clip_count: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(clip_count)
