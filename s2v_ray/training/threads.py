"""How many CPU threads one computation is split over."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
