"""A worker's batches of streamed clips: all workers make the same number of steps, and no clip is lost."""

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np
import ray
import ray.train
from ray.actor import ActorHandle
from torch.utils.data import default_collate

from s2v_ray.cluster.training import CLIPS
from s2v_ray.config import Config
from s2v_ray.dataset.reader import Clip, clip_of_row
from s2v_ray.dataset.records import Reject
from s2v_ray.errors import UserError
from s2v_ray.media.clock import samples_per_frame
from s2v_ray.storage.files import write_bytes
from s2v_ray.storage.paths import join
from s2v_ray.training.data.loader import Batch, augmented, to_device
from s2v_ray.training.data.order import Draw, rank_slice
from s2v_ray.training.workers import Workers

# A worker draws its clips from this many batches at a time, so that those of one video come apart.
_SHUFFLED_BATCHES = 4
_READ_AHEAD = 4  # clips in transit to a worker


def stream_batches(
    epoch: ActorHandle[Any], config: Config, run: str, workers: Workers, *, first_epoch: int, first_step: int
) -> Iterator[Batch]:
    """This worker's batches from the start of an epoch on, endlessly; `Batch.epoch` counts the finished ones.

    All workers get equally many. `epoch` is the `Epoch` of the videos. Raises UserError if no video gives a clip.
    """
    shard, settings = ray.train.get_dataset_shard(CLIPS), config.training
    step, reported = first_step, ""
    held = _SHUFFLED_BATCHES * math.ceil(settings.batch_size / workers.world_size)
    for number in itertools.count(first_epoch):
        if workers.rank == 0:
            ray.get(epoch.start.remote(number))  # the others wait for it when they ask for their first clip
        random = np.random.default_rng([settings.seed, number, workers.rank])
        clips = shuffled(_clips(shard, config), held, random)
        before = step
        for batch in equal_batches(clips, config, workers, epoch=number, first_step=step):
            step += 1
            yield batch
        if step == before or workers.rank == 0:
            reported = _report_epoch(epoch, run, reported)


def _report_epoch(epoch: ActorHandle[Any], run: str, reported_before: str) -> str:
    """Print what an epoch held, if that differs from the last report. Raises UserError if it held no clips."""
    report: tuple[int, list[Reject]] = ray.get(epoch.report.remote())  # type: ignore[assignment]
    clips, rejects = report
    reasons = Counter(sorted(reject.reason for reject in rejects))
    rejected = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    if not clips:
        example = f"'{rejects[0].source}': {rejects[0].detail}"
        raise UserError("no_clips", f"No video yielded a clip ({rejected}), such as {example}")
    message = f"An epoch has {clips} clips; rejected: {rejected or 'nothing'}"
    if message != reported_before:
        lines = "".join(f"{json.dumps(asdict(reject))}\n" for reject in rejects)
        write_bytes(join(run, "rejects.jsonl"), lines.encode())
        print(f"{message}. Details: {run}/rejects.jsonl" if rejects else message, flush=True)
    return message


def equal_batches(
    clips: Iterator[Clip], config: Config, workers: Workers, *, epoch: int, first_step: int
) -> Iterator[Batch]:
    """Cut this worker's clips of an epoch into batches until no worker has any left.

    A worker that runs out earlier makes its steps with a black and silent clip of weight zero.
    """

    def draws(step: int) -> list[Draw]:
        batch = [Draw(0, step, index) for index in range(config.training.batch_size)]
        # If the batch can't be divided equally, the workers take turns.
        return rank_slice(batch, rank=(workers.rank + step) % workers.world_size, world_size=workers.world_size)

    def take(step: int) -> list[dict[str, Any]]:
        return [augmented(clip, draw, config) for draw, clip in zip(draws(step), clips, strict=False)]

    blank = augmented(_blank(config), Draw(0, 0, 0), config)
    items = take(first_step)
    for step in itertools.count(first_step):
        upcoming = take(step + 1)
        total, left = workers.sum(len(items), len(upcoming))
        if not total:
            return
        yield to_device(
            default_collate(items or [blank]),
            config.data.resolution,
            workers.device,
            loss_weight=len(items) * workers.world_size / total,
            epoch=epoch if left else epoch + 1,
        )
        items = upcoming


def shuffled(clips: Iterator[Clip], count: int, random: np.random.Generator) -> Iterator[Clip]:
    """The clips, each drawn from the next `count`."""
    held = list(itertools.islice(clips, count))
    for clip in clips:
        index = random.integers(len(held))
        drawn, held[index] = held[index], clip
        yield drawn
    yield from (held[index] for index in random.permutation(len(held)))


def _clips(shard: ray.data.DataIterator, config: Config) -> Iterator[Clip]:
    blocks: Any = shard.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=_READ_AHEAD)  # type: ignore[arg-type]
    for rows in blocks:
        for row in range(rows.num_rows):
            yield clip_of_row(rows, row, frames=config.clips.frames, stored_size=config.clips.stored_size)


def _blank(config: Config) -> Clip:
    clips = config.clips
    samples = clips.frames * samples_per_frame(clips.sample_rate, Fraction(clips.frame_rate))
    frames_THWC = np.zeros((clips.frames, clips.stored_size, clips.stored_size, 3), np.uint8)
    return Clip("", "", 0.0, frames_THWC, np.zeros(samples, "<i2"))
