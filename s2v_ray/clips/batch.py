"""From stored clips to a `Batch` on a device."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from s2v_ray.clips.augmentation import draw_augmentation, window_frames
from s2v_ray.clips.order import Draw, EndlessBatches
from s2v_ray.clips.pixels import crop_size, resize, to_float, wave_to_float
from s2v_ray.clips.reader import ClipReader
from s2v_ray.config import Config


@dataclass(frozen=True)
class Batch:
    """Clips of one step. F are the frames that are generated, of the N of a clip."""

    picture_BCHW: Tensor  # the input picture, in [-1, 1]
    video_BFCHW: Tensor  # the real frames, in [-1, 1]
    wave_BS: Tensor  # the sound of the whole clip, in [-1, 1]
    frame_BF: Tensor  # which frames of the clip they are, int64
    video_start_B: Tensor  # where in F the consecutive frames for D_V start, int64
    image_frame_BK: Tensor  # which of F are for D_I, int64
    clip_ids: list[str]


class TrainingClips(Dataset[dict[str, Any]]):
    """Augmented clips as tensors on the CPU, still bytes: the rest is done on the device."""

    def __init__(self, reader: ClipReader, config: Config) -> None:
        window_frames(config)
        self.reader, self.config = reader, config

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        clip, chosen = self.reader[draw.clip], draw_augmentation(draw, self.config)
        size = crop_size(self.config.clips.stored_size)
        rows, columns = slice(chosen.top, chosen.top + size), slice(chosen.left, chosen.left + size)
        # The input picture is the first frame of the whole clip.
        shown = np.concatenate([[0], chosen.frames])
        return {
            "frames": torch.from_numpy(clip.frames_THWC[shown, rows, columns]),
            "wave": torch.from_numpy(clip.wave.copy()),
            "frame": torch.from_numpy(chosen.frames),
            "video_start": chosen.video_start,
            "image_frames": torch.from_numpy(chosen.image_frames),
            "clip_id": clip.clip_id,
        }


def training_batches(
    reader: ClipReader, config: Config, device: torch.device, *, first_step: int = 0, rank: int = 0, world_size: int = 1
) -> Iterator[Batch]:
    """This worker's batches of step `first_step` and of all after it."""
    sampler = EndlessBatches(
        clip_count=len(reader),
        batch_size=config.training.batch_size,
        seed=config.training.seed,
        first_step=first_step,
        rank=rank,
        world_size=world_size,
    )
    loader = DataLoader(
        TrainingClips(reader, config),
        batch_sampler=sampler,
        num_workers=config.training.loader_workers,
        # CUDA and Arrow's threads don't survive a fork.
        multiprocessing_context="spawn" if config.training.loader_workers else None,
        worker_init_fn=_ignore_interrupt,
        pin_memory=device.type == "cuda",
    )
    for items in loader:
        yield to_device(items, config.data.resolution, device)


def _ignore_interrupt(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal; the one that trains decides when to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def to_device(items: dict[str, Any], resolution: int, device: torch.device) -> Batch:
    """Collated items of `TrainingClips` as a `Batch`: bytes travel, and become floats on the device."""

    def move(name: str) -> Tensor:
        return items[name].to(device, non_blocking=True)

    frames_BFCHW = resize(to_float(move("frames")), resolution)
    return Batch(
        picture_BCHW=frames_BFCHW[:, 0],
        video_BFCHW=frames_BFCHW[:, 1:],
        wave_BS=wave_to_float(move("wave")),
        frame_BF=move("frame"),
        video_start_B=move("video_start"),
        image_frame_BK=move("image_frames"),
        clip_ids=items["clip_id"],
    )
