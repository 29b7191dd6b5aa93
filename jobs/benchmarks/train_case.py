"""What the training benchmarks train on: synthetic clips, a preset's settings for them, and batches of both."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from s2v_ray.cli.prepare import prepare
from s2v_ray.config import Config, load_config, with_settings
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.dataset.settings import CENTRE, OFF, clip_settings
from s2v_ray.synthetic.write import synthesize
from s2v_ray.training.data.loader import Batch, training_batches
from s2v_ray.training.run import config_for_clips

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A configuration and the clips that it is for."""

    config: Config
    reader: ClipReader

    def batches(self, count: int, device: torch.device = CPU) -> list[Batch]:
        """The first batches of a training, read in this process."""
        return list(islice(training_batches(self.reader, self.config, device), count))


def case(preset: str, clips: str, **settings: object) -> Case:
    """A preset for some clips, with dotted `settings` (as `training__batch_size`) on top."""
    dotted = {name.replace("__", "."): value for name, value in settings.items()}
    # The naive sides don't have these.
    losses = ("thumbnail_weight", "generator_start", "feature_matching_weight")
    absent = {f"loss.{name}": 0.0 for name in losses} | {"training.parallel_halves": False}
    dotted = absent | dotted
    config = config_for_clips(with_settings(load_config(preset), dotted), read_dataset(clips).settings)
    return Case(config, ClipReader(clips, "train"))


def make_clips(folder: Path, *, sources: int = 6, stored_size: int = 72) -> str:
    """Prepared clips of synthetic fireworks, four of four seconds from each source."""
    videos, clips = folder / "videos", folder / "clips"
    synthesize("fireworks", videos, sources=sources, seed=0, seconds=6.0, size=max(96, stored_size))
    prepare(
        out=str(clips),
        videos=(str(videos),),
        settings=clip_settings(stored_size=stored_size, crop=CENTRE, stabilize=OFF),
        local=True,
    )
    return str(clips)
