"""How much a video moves, and when."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np


def frame_changes(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """|V_t − V_{t−1}| for t = 1 .. T−1, one at a time: those of all frames at once would take much memory."""
    for before, after in pairwise(frames):
        yield np.maximum(before, after) - np.minimum(before, after)  # a difference of uint8 would wrap round


def motion_energy(frames: Iterable[np.ndarray]) -> np.ndarray:
    """Mean |V_t − V_{t−1}| over a frame's values, float64 [T−1], in their unit (uint8: levels of 255).

    Entry t−1 lies where frame t−1 ends and frame t starts, t / fps seconds after the clip's start.
    """
    return np.array([change.mean(dtype=np.float64) for change in frame_changes(frames)])
