"""A stored sound's frequency bands: what the sync classifier hears, and what sounds are compared by."""

import numpy as np
import torch
from torch import Tensor

from s2v_ray.metrics.bands import band_levels
from s2v_ray.training.data.pixels import wave_to_float


def sound_bands(wave: np.ndarray, frames: int, sample_rate: int) -> Tensor:
    """The levels of a sound's frequency bands, int16 [S] to [T, F]; see `band_levels`."""
    return band_levels(wave_to_float(torch.from_numpy(wave.copy())), frames=frames, sample_rate=sample_rate)
