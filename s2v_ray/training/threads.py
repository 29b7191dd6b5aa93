"""How many CPU threads one computation is split over, and two computations at a time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

Map = Callable[..., Iterable[Any]]


@contextmanager
def at_most_threads(most: int) -> Iterator[None]:
    """Compute with at most `most` threads (0: torch's own number) inside the block.

    After each small operation threads wait for one another, which can cost more than they gain.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(min(most or before, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def two_at_a_time() -> Map:
    """A `map` that computes two results at a time, each by a thread of its own."""
    return ThreadPoolExecutor(2, thread_name_prefix="halves").map
