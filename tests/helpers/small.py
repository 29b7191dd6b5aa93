"""Clips and models small enough for tests."""

import tomllib
from pathlib import Path

import numpy as np

from s2v_ray.config import Config, config_from_dict, with_settings
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import Clip
from s2v_ray.training.run import config_for_clips

# 0.8 s at 25 frames a second and 8 kHz: 20 frames of 320 samples.
SMALL_CLIPS = ["--clip-seconds", "0.8", "--frame-rate", "25", "--sample-rate", "8000", "--stored-size", "36"]

# Without the search for what moves with the sound and for what sways, for tests of something else.
QUICK = ["--crop", "centre", "--stabilize", "off"]


SMALL_MODEL = """preset = "tiny"
[data]
resolution = 32
frames_per_step = 6
[sound]
mel_bands = 16
hidden = 8
[generator]
base_channels = 8
max_channels = 16
bottleneck = 4
film_levels = 2
[image_discriminator]
channels = [8, 8]
[video_discriminator]
channels = [8, 8]
frames = 4
[loss]
discriminator_start = 0.0
generator_start = 0.0
[optim]
decay_start = 1.0
[training]
batch_size = 4
"""


def small_config(clips: Path, **settings: object) -> Config:
    """SMALL_MODEL as a configuration for `clips`, with dotted `settings` (such as `training__steps`) on top."""
    dotted = {name.replace("__", "."): value for name, value in settings.items()}
    config = config_from_dict(tomllib.loads(SMALL_MODEL), "the tests' settings")
    config = with_settings(config, {"training.steps": 8, "training.validate_clips": 1} | dotted)
    return config_for_clips(config, read_dataset(clips).settings)


class SyntheticClips:
    """Four clips of smooth noise, drawn by NumPy alone: without decoding any video."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __getitem__(self, number: int) -> Clip:
        random, clips = np.random.default_rng(number), self.config.clips
        size = clips.stored_size
        coarse = random.integers(0, 256, (clips.frames, 6, 6, 3))
        frames_THWC = coarse.repeat(-(-size // 6), 1).repeat(-(-size // 6), 2)[:, :size, :size].astype(np.uint8)
        wave = random.integers(-9000, 9000, clips.frames * 1470).astype("<i2")
        return Clip(f"clip {number}", "synthetic", 0.0, frames_THWC, wave)
