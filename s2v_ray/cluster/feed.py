"""A worker's batches of what is streamed: all workers make the same number of steps, and none of the clips is lost."""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import ray
import ray.train
from torch.utils.data import default_collate

from s2v_ray.cluster.stream import VideoStream
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

# A worker draws its clips from so many batches at a time: those of one video come apart.
_SHUFFLED_BATCHES = 4
_READ_AHEAD = 4  # clips that are on their way to a worker


def stream_batches(
    stream: VideoStream, config: Config, run: str, workers: Workers, *, first_epoch: int, first_step: int
) -> Iterator[Batch]:
    """This worker's batches from the beginning of an epoch on, endlessly; `Batch.epoch` counts those that ended.

    All workers get equally many. Raises UserError where no video gives a clip.
    """
    shard, settings = ray.train.get_dataset_shard(CLIPS), config.training
    step, told = first_step, ""
    for number in itertools.count(first_epoch):
        if workers.rank == 0:
            ray.get(stream.epoch.begin.remote(number))  # the others wait for it where they ask for the first clip
        random = np.random.default_rng([settings.seed, number, workers.rank])
        held = _SHUFFLED_BATCHES * -(-settings.batch_size // workers.world_size)
        clips = shuffled(_clips(shard, config), held, random)
        before = step
        for batch in equal_batches(clips, config, workers, epoch=number, first_step=step):
            step += 1
            yield batch
        if step == before or workers.rank == 0:
            told = _tell_epoch(stream, run, told)


def _tell_epoch(stream: VideoStream, run: str, told_before: str) -> str:
    """Say what an epoch had, where that is not what was told before. Raises UserError where it had no clips."""
    report: tuple[int, list[Reject]] = ray.get(stream.epoch.report.remote())  # type: ignore[assignment]
    clips, rejects = report
    reasons = Counter(reject.reason for reject in rejects)
    rejected = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    if not clips:
        example = f"'{rejects[0].source}': {rejects[0].detail}"
        raise UserError(f"None of the {stream.videos} videos gave a clip ({rejected}), such as {example}")
    told = f"An epoch has {clips} clips of {stream.videos} videos; rejected: {rejected or 'nothing'}"
    if told != told_before:
        write_bytes(
            join(run, "rejects.jsonl"), "".join(f"{json.dumps(reject.to_json())}\n" for reject in rejects).encode()
        )
        print(f"{told}. Each with its reason: {run}/rejects.jsonl" if rejects else told, flush=True)
    return told


def equal_batches(
    clips: Iterator[Clip], config: Config, workers: Workers, *, epoch: int, first_step: int
) -> Iterator[Batch]:
    """Cut this worker's clips of an epoch into batches until no worker has any left.

    A worker that ran out before makes the step with a black and silent clip that weighs nothing.
    """

    def draws(step: int) -> list[Draw]:
        batch = [Draw(0, step, place) for place in range(config.training.batch_size)]
        # Where the batch can't be shared equally, the workers take turns.
        return rank_slice(batch, rank=(workers.rank + step) % workers.world_size, world_size=workers.world_size)

    def take(step: int) -> list[dict[str, Any]]:
        return [augmented(clip, draw, config) for draw, clip in zip(draws(step), clips, strict=False)]

    blank = augmented(_blank(config), Draw(0, 0, 0), config)
    mine = take(first_step)
    for step in itertools.count(first_step):
        coming = take(step + 1)
        total, left = workers.sum(len(mine), len(coming))
        if not total:
            return
        yield to_device(
            default_collate(mine or [blank]),
            config.data.resolution,
            workers.device,
            share=len(mine) * workers.world_size / total,
            epoch=epoch if left else epoch + 1,
        )
        mine = coming


def shuffled(clips: Iterator[Clip], count: int, random: np.random.Generator) -> Iterator[Clip]:
    """The clips, each drawn from the `count` that come next."""
    held = list(itertools.islice(clips, count))
    for clip in clips:
        place = random.integers(len(held))
        drawn, held[place] = held[place], clip
        yield drawn
    yield from (held[place] for place in random.permutation(len(held)))


def _clips(shard: ray.data.DataIterator, config: Config) -> Iterator[Clip]:
    blocks: Iterable[Any] = shard.iter_batches(
        batch_size=None,  # type: ignore[arg-type]
        batch_format="pyarrow",
        prefetch_batches=_READ_AHEAD,
    )
    for rows in blocks:
        for row in range(rows.num_rows):
            yield clip_of_row(rows, row, frames=config.clips.frames, stored_size=config.clips.stored_size)


def _blank(config: Config) -> Clip:
    clips = config.clips
    samples = clips.frames * samples_per_frame(clips.sample_rate, Fraction(clips.frame_rate))
    frames_THWC = np.zeros((clips.frames, clips.stored_size, clips.stored_size, 3), np.uint8)
    return Clip("", "", 0.0, frames_THWC, np.zeros(samples, "<i2"))
