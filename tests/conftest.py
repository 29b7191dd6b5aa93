"""Small videos and clips that the tests share, made by the product itself."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

# Before Ray is imported: a quiet, private cluster that polls often.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_AUTH_MODE="disabled",
    RAY_TRAIN_HEALTH_CHECK_INTERVAL_S="0.1",
    RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S="60",
    # Of the object store in tests/object_store.py: Ray's workers have the environment of its start.
    AWS_ACCESS_KEY_ID="the-key",
    AWS_SECRET_ACCESS_KEY="the-secret",
    AWS_REGION="us-east-1",
)

from s2v_ray.cli.main import main
from s2v_ray.clips.dataset import read_dataset
from s2v_ray.clips.reader import Clip
from s2v_ray.config import Config, config_from_dict, override
from s2v_ray.media.synth.write import synthesize
from s2v_ray.training.run import config_for_clips

# 0.8 s at 25 frames a second and 8 kHz: 20 frames of 320 samples.
SMALL_CLIPS = ["--clip-seconds", "0.8", "--frame-rate", "25", "--sample-rate", "8000", "--stored-size", "36"]


@pytest.fixture(scope="session")
def shared_clips() -> Path:
    """Real videos with sound, where they are at hand."""
    folder = Path(__file__).parents[2] / "shared" / "clips"
    if not folder.is_dir():
        pytest.skip("the folder of real videos is not here")
    return folder


@pytest.fixture(scope="session")
def formats(shared_clips: Path) -> Path:
    """Of these, one of each kind of file."""
    return shared_clips / "formats"


@pytest.fixture(scope="session")
def small_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six made-up videos of 1.6 s."""
    folder = tmp_path_factory.mktemp("videos")
    synthesize("sea", folder, sources=6, seed=5, seconds=1.6, size=48)
    return folder


@pytest.fixture(scope="session")
def small_clips(small_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of these, prepared without Ray: four sources to train on, one to validate on, one to test on."""
    folder = tmp_path_factory.mktemp("clips") / "sea"
    assert main(["prepare", "--videos", str(small_videos), "--out", str(folder), "--local", *SMALL_CLIPS]) == 0
    return folder


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
adversarial_from = 0.0
[training]
batch_size = 4
"""


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of `small_config` as a TOML file."""
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(SMALL_MODEL)
    return path


def small_config(clips: Path, **settings: object) -> Config:
    """The same as a configuration for `clips`, with dotted `settings` (as `training__steps`) on top."""
    overrides = {name.replace("__", "."): str(value) for name, value in settings.items()}
    values = {"training.steps": "8", "training.validate_clips": "1", **overrides}
    config = config_from_dict(tomllib.loads(SMALL_MODEL), "the tests' settings")
    for name, value in values.items():
        config = override(config, name, value)
    return config_for_clips(config, read_dataset(clips)[0])


@pytest.fixture(scope="session")
def small_run(small_clips: Path, small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of eight steps."""
    run = tmp_path_factory.mktemp("runs") / "sea"
    arguments = ["--clips", str(small_clips), "--out", str(run), "--config", str(small_model), "--steps", "8"]
    assert main(["train", *arguments]) == 0
    return run


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One Ray of two CPUs for all tests that need one."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


class MadeUpClips:
    """Four clips of smooth noise, drawn by NumPy alone: no video is decoded for them."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __getitem__(self, number: int) -> Clip:
        random, clips = np.random.default_rng(number), self.config.clips
        size = clips.stored_size
        coarse = random.integers(0, 256, (clips.frames, 6, 6, 3))
        frames_THWC = coarse.repeat(-(-size // 6), 1).repeat(-(-size // 6), 2)[:, :size, :size].astype(np.uint8)
        wave = random.integers(-9000, 9000, clips.frames * 1470).astype("<i2")
        return Clip(f"clip {number}", "made up", 0.0, frames_THWC, wave)
