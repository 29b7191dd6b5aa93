"""From stored clips to a `Batch` on a device."""

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import count, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from s2v_ray.config import Config
from s2v_ray.dataset.collection import Clips
from s2v_ray.dataset.reader import Clip
from s2v_ray.models.sound_encoder import THUMBNAIL_SIDE
from s2v_ray.storage.files import CONCURRENT_REQUESTS
from s2v_ray.training.data.augmentation import draw_augmentation
from s2v_ray.training.data.order import Draw, global_batch, rank_slice, weighted_parts
from s2v_ray.training.data.pixels import crop_size, motion_thumbnails, resize, resize_bytes, to_float, wave_to_float

_BATCHES_AHEAD = 4


@dataclass(frozen=True)
class Batch:
    """Clips of one step. F are the frames that are generated, of the N of a clip."""

    image_BCHW: Tensor  # the input image, in [-1, 1]
    video_BFCHW: Tensor  # the real frames, in [-1, 1]
    wave_BS: Tensor  # the sound of the whole clip, in [-1, 1]
    frame_BF: Tensor  # which frames of the clip they are, int64
    video_frame_BT: Tensor  # which of F, evenly spaced in time, are for D_V, int64
    image_frame_BK: Tensor  # which of F are for D_I, int64
    thumbnail_BTP: Tensor  # grey thumbnails of all frames relative to their mean; [B, 0, 0] if nothing predicts them
    clip_ids: list[str]
    loss_weight: float  # this worker's clips over the mean number of clips a worker
    epoch: int  # how many times all clips have been seen

    def parts(self, most: int) -> list["Batch"]:
        """The batch in up to `most` parts, whose loss weights sum to its own."""
        clips = len(self.clip_ids)
        bounds = [clips * part // most for part in range(most + 1)]
        return [self._rows(first, last) for first, last in pairwise(bounds) if last > first]

    def _rows(self, first: int, last: int) -> "Batch":
        rows: dict[str, Any] = {
            name: value[first:last] for name, value in vars(self).items() if isinstance(value, Tensor | list)
        }
        return replace(self, **rows, loss_weight=self.loss_weight * (last - first) / len(self.clip_ids))


class TrainingClips(Dataset[dict[str, Any]]):
    """Augmented clips as tensors on the CPU, still bytes: they become floats on the device."""

    def __init__(self, reader: Clips, config: Config) -> None:
        self.reader, self.config = reader, config

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        return augmented(self.reader[draw.clip], draw, self.config)


class ReadAhead(IterableDataset[dict[str, Any]]):
    """Batches of clips from an object store, read ahead by threads."""

    def __init__(self, clips: TrainingClips, batches: Iterable[list[Draw]]) -> None:
        self.clips, self.batches = clips, batches

    def __iter__(self) -> Iterator[dict[str, Any]]:
        coming: deque[list[Future[dict[str, Any]]]] = deque()
        pool = ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="clips")
        try:
            for draws in self.batches:
                coming.append([pool.submit(self.clips.__getitem__, draw) for draw in draws])
                if len(coming) > _BATCHES_AHEAD:
                    yield default_collate([clip.result() for clip in coming.popleft()])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def augmented(clip: Clip, draw: Draw, config: Config) -> dict[str, Any]:
    """What a step sees of a clip, as tensors on the CPU: the crop and the frames drawn for it."""
    chosen = draw_augmentation(draw, config)
    rows, columns = (slice(start, start + chosen.side) for start in (chosen.top, chosen.left))
    side = THUMBNAIL_SIDE if config.loss.thumbnail_weight else 0
    wanted = np.concatenate([[chosen.input_frame], chosen.frames])
    return {
        "frames": resize_bytes(clip.frames_THWC[wanted, rows, columns], crop_size(config.clips.stored_size)),
        "wave": torch.from_numpy(clip.wave.copy()),
        "frame": torch.from_numpy(chosen.frames),
        "video_frames": torch.from_numpy(chosen.video_frames),
        "image_frames": torch.from_numpy(chosen.image_frames),
        "thumbnails": torch.from_numpy(motion_thumbnails(clip.frames_THWC, side)),
        "clip_id": clip.clip_id,
    }


def training_batches(
    reader: Clips, config: Config, device: torch.device, *, first_step: int = 0, rank: int = 0, world_size: int = 1
) -> Iterator[Batch]:
    """This worker's batches of step `first_step` and of all after it.

    Clips in an object store are read ahead by threads; local ones by `loader_workers` processes, or in this process
    where that is 0.
    """
    settings = config.training
    parts = weighted_parts(reader.counts, settings.clip_weights)
    order = {"clip_count": len(reader), "batch_size": settings.batch_size, "seed": settings.seed}
    batches = (global_batch(step, **order, parts=parts) for step in count(first_step))
    draws = (rank_slice(batch, rank=rank, world_size=world_size) for batch in batches)
    clips, on_gpu = TrainingClips(reader, config), device.type == "cuda"
    loader: DataLoader[dict[str, Any]]
    if reader.remote:
        loader = DataLoader(ReadAhead(clips, draws), batch_size=None, pin_memory=on_gpu)
    else:
        loader = DataLoader(
            clips,
            batch_sampler=draws,
            num_workers=settings.loader_workers,
            # CUDA and Arrow's threads don't survive a fork.
            multiprocessing_context="spawn" if settings.loader_workers else None,
            worker_init_fn=_ignore_interrupt,
            pin_memory=on_gpu,
        )
    for step, items in enumerate(loader, start=first_step):
        yield to_device(
            items,
            config.data.resolution,
            device,
            loss_weight=len(items["clip_id"]) * world_size / settings.batch_size,
            epoch=step * settings.batch_size // len(reader),
        )


def _ignore_interrupt(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal; the one that trains decides when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def to_device(items: dict[str, Any], resolution: int, device: torch.device, *, loss_weight: float, epoch: int) -> Batch:
    """Collated `augmented` clips as a `Batch`: bytes travel, and become floats on the device.

    On a GPU this overlaps the previous step, on a stream of its own.
    """
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None
    with torch.cuda.stream(stream) if stream else nullcontext():
        moved = {name: value.to(device, non_blocking=True) for name, value in items.items() if name != "clip_id"}
        frames_BFCHW = resize(to_float(moved["frames"]), resolution)
        batch = Batch(
            image_BCHW=frames_BFCHW[:, 0],
            video_BFCHW=frames_BFCHW[:, 1:],
            wave_BS=wave_to_float(moved["wave"]),
            frame_BF=moved["frame"],
            video_frame_BT=moved["video_frames"],
            image_frame_BK=moved["image_frames"],
            thumbnail_BTP=moved["thumbnails"],
            clip_ids=items["clip_id"],
            loss_weight=loss_weight,
            epoch=epoch,
        )
    if stream:
        step_stream = torch.cuda.current_stream(device)
        step_stream.wait_stream(stream)
        for value in vars(batch).values():
            if isinstance(value, Tensor):
                value.record_stream(step_stream)
    return batch
