"""The features of a sound of any length, as its samples arrive."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from s2v_ray.config import Config
from s2v_ray.media.clock import samples_per_frame
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.data.pixels import wave_to_float

_WINDOWS_PER_BATCH = 8


def frame_count(config: Config, sample_count: int) -> int:
    """How many frames cover a sound of so many samples; the last one may end after it."""
    return -(-sample_count // samples_per_frame(config.clips.sample_rate, Fraction(config.clips.frame_rate)))


def sound_features(
    model: SoundToVideo, config: Config, blocks: Iterable[np.ndarray], sample_count: int, device: torch.device
) -> Iterator[Tensor]:
    """Features [T, D], some frames at a time, of int16 samples in blocks, `sample_count` in all; silence ends the last.

    The encoder was trained on clips, so it gets a longer sound in windows of a clip's length, each starting half a
    window after the one before. Where windows overlap, their features are averaged, weighted by the distance to the
    edge of the window. No more than a few windows and a block are held in memory.
    """
    frame_samples = samples_per_frame(config.clips.sample_rate, Fraction(config.clips.frame_rate))
    total = frame_count(config, sample_count)
    window = min(config.clips.frames, total)
    starts = [*range(0, total - window, max(1, window // 2)), total - window]
    lengths = np.diff([*starts, total]) * frame_samples
    samples = _SampleQueue(blocks)
    frame_T = torch.arange(window, device=device)
    weight_T1 = torch.minimum(frame_T + 1, window - frame_T).unsqueeze(1).float()
    # Of the frames that have no later window yet: sums of weighted features, and of weights.
    sum_TD = torch.zeros(window, model.sound_encoder.features, device=device)
    weight_sum_T1 = torch.zeros(window, 1, device=device)
    for first in range(0, len(starts), _WINDOWS_PER_BATCH):
        waves = []
        for length in lengths[first : first + _WINDOWS_PER_BATCH]:
            waves.append(samples.peek(window * frame_samples))
            samples.skip(length)
        wave_BS = wave_to_float(torch.from_numpy(np.stack(waves)).to(device))
        for length, features_TD in zip(lengths[first:], model.sound_encoder(wave_BS), strict=False):
            sum_TD, weight_sum_T1 = sum_TD + weight_T1 * features_TD, weight_sum_T1 + weight_T1
            done = int(length) // frame_samples
            yield sum_TD[:done] / weight_sum_T1[:done]
            sum_TD, weight_sum_T1 = (_moved_up(each, done) for each in (sum_TD, weight_sum_T1))


def _moved_up(sum_TD: Tensor, frames: int) -> Tensor:
    return torch.cat([sum_TD[frames:], torch.zeros_like(sum_TD[:frames])])


class _SampleQueue:
    """Samples that arrive in blocks, and silence after them."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._blocks, self._waiting = iter(blocks), np.zeros(0, np.int16)

    def peek(self, count: int) -> np.ndarray:
        """The next `count` samples, which stay."""
        pieces = [self._waiting]
        while sum(map(len, pieces)) < count:
            block = next(self._blocks, None)
            pieces.append(np.zeros(count - sum(map(len, pieces)), np.int16) if block is None else block)
        self._waiting = np.concatenate(pieces)
        return self._waiting[:count].copy()

    def skip(self, count: int) -> None:
        """Leave out the next `count`, which were peeked at."""
        self._waiting = self._waiting[count:]
