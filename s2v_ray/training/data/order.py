"""The order of training: one endless seeded sequence of clips, cut into global batches, sliced over the workers.

All of it is a function of (seed, step), so that a run resumes exactly and on any number of workers.
"""

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
    draws = []
    for index in range(batch_size):
        epoch, offset = divmod(step * batch_size + index, clip_count)
        draws.append(Draw(int(_permutation(epoch, clip_count, seed)[offset]), step, index))
    return draws


def too_many_workers(workers: str, batch_size: int) -> UserError:
    """The error for more workers than clips in a batch."""
    problem = f"--workers is {workers}, but --training.batch-size is only {batch_size}"
    return UserError("too_many_workers", f"{problem}; use fewer workers or larger batches.")


def rank_slice(batch: list[Draw], *, rank: int, world_size: int) -> list[Draw]:
    """This worker's part: slices differ in length by at most one. Raises UserError if a worker would have none."""
    if world_size > len(batch):
        raise too_many_workers(str(world_size), len(batch))
    return batch[len(batch) * rank // world_size : len(batch) * (rank + 1) // world_size]


@lru_cache(maxsize=2)
def _permutation(epoch: int, clip_count: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(clip_count)
