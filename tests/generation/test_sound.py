"""The features of a sound that arrives in blocks."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from s2v_ray.config import Config
from s2v_ray.generation.sound import sound_features
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint

CPU = torch.device("cpu")
FRAME_SAMPLES = 320


@pytest.fixture(scope="module")
def model(small_run: Path) -> tuple[SoundToVideo, Config]:
    return load_model(find_checkpoint(small_run))[:2]


def whole_features(model: SoundToVideo, config: Config, wave: np.ndarray) -> torch.Tensor:
    """All at once: windows of a clip's length every half a window, averaged with weights that fall to their edges."""
    padded_S = torch.from_numpy(np.pad(wave, (0, -len(wave) % FRAME_SAMPLES)) / 32768).float()
    total = len(padded_S) // FRAME_SAMPLES
    window = min(config.clips.frames, total)
    starts = [*range(0, total - window, max(1, window // 2)), total - window]
    weight_T1 = torch.tensor([[min(t + 1, window - t)] for t in range(window)]).float()
    sum_TD, weight_sum_T1 = torch.zeros(total, model.sound_encoder.features), torch.zeros(total, 1)
    for start in starts:
        piece = padded_S[start * FRAME_SAMPLES : (start + window) * FRAME_SAMPLES]
        sum_TD[start : start + window] += weight_T1 * model.sound_encoder(piece[None])[0]
        weight_sum_T1[start : start + window] += weight_T1
    return sum_TD / weight_sum_T1


@pytest.mark.parametrize("seconds", [0.013, 0.3, 0.8, 0.81, 1.2, 4.03, 20.0])
@pytest.mark.parametrize("block", [777, 100_000])
def test_they_are_those_of_the_whole_sound(model: tuple[SoundToVideo, Config], seconds: float, block: int) -> None:
    wave = np.random.default_rng(0).integers(-9000, 9000, round(seconds * 8000), dtype=np.int16)
    blocks = [wave[start : start + block] for start in range(0, len(wave), block)]
    found = torch.cat(list(sound_features(*model, blocks, len(wave), CPU)))
    expected = whole_features(*model, wave)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5


def test_they_do_not_jump_where_windows_meet(model: tuple[SoundToVideo, Config]) -> None:
    window = model[1].clips.frames
    # A steady tone: all frames in the middle of the sound have nearly the same features.
    wave = (np.sin(np.arange(window * FRAME_SAMPLES * 5) * 2 * np.pi / 20) * 9000).astype(np.int16)
    features_TD = torch.cat(list(sound_features(*model, [wave], len(wave), CPU)))
    assert features_TD.shape[0] == 5 * window
    steps_T = features_TD[window:-window].diff(dim=0).abs().amax(1)
    whole_T = model[0].sound_encoder(torch.from_numpy(wave / 32768).float()[None])[0].diff(dim=0).abs().amax(1)
    assert steps_T.max() <= 1.5 * whole_T.max()


def test_their_memory_does_not_grow_with_the_sound(model: tuple[SoundToVideo, Config]) -> None:
    def peak_bytes(seconds: int) -> int:
        def blocks() -> Iterator[np.ndarray]:
            for _ in range(seconds // 10):
                yield np.zeros(80_000, np.int16)

        tracemalloc.start()
        for _ in sound_features(*model, blocks(), seconds * 8000, CPU):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(600) < peak_bytes(60) + 200_000  # ten minutes are 9.6 MB
