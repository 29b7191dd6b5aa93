"""A worker's batches of streamed clips: one endless sequence of videos, in which each epoch has each clip once."""

import itertools
import json
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import ray
import ray.train
from ray.actor import ActorHandle
from torch.utils.data import default_collate

from s2v_ray.cluster.ray_internals import take_split
from s2v_ray.cluster.streaming.decode import CLIP, VISIT
from s2v_ray.cluster.training import CLIPS
from s2v_ray.config import Config
from s2v_ray.dataset.reader import Clip, clip_of_row
from s2v_ray.dataset.records import Reject
from s2v_ray.errors import UserError
from s2v_ray.storage.files import write_bytes
from s2v_ray.storage.paths import join
from s2v_ray.training.data.loader import Batch, augmented, to_device
from s2v_ray.training.data.order import Draw, rank_slice
from s2v_ray.training.data.stream import ClipPlace, StreamPosition
from s2v_ray.training.state import TrainingState
from s2v_ray.training.workers import Workers

T = TypeVar("T")

# A worker shuffles the clips of this many batches at a time, so that those of one video come apart.
_SHUFFLED_BATCHES = 4
_READ_AHEAD = 4  # clips in transit to a worker
# More than are shuffled together: a worker whose round ends a clip later gets there, and asks for the next round, while
# the others wait for it.
_BATCHES_AHEAD = _SHUFFLED_BATCHES + 2


@dataclass(frozen=True)
class StreamedClip:
    """A clip, and where it comes from: the visit of a video, and which of the video's clips it is."""

    visit: int
    number: int
    clip: Clip


@dataclass(frozen=True)
class RunningVisits:
    """What the clips come from: a `Visits` of so many videos, and how many visits one execution of the data set has."""

    actor: ActorHandle[Any]
    videos: int
    a_round: int


def stream_batches(
    visits: RunningVisits, config: Config, run: str, workers: Workers, state: TrainingState
) -> Iterator[Batch]:
    """This worker's batches from where `state` is, endlessly; what they are made of is noted in its position.

    Raises UserError if no video gives a clip.
    """
    start, first_step = state.position or StreamPosition(state.epoch * visits.videos), state.step
    state.position = start
    held = _SHUFFLED_BATCHES * config.training.batch_size // workers.world_size
    random = np.random.default_rng([config.training.seed, first_step, workers.rank])
    clips = shuffled(worker_clips(visits, config, run, workers, start), held, random)
    share = workers.world_size / config.training.batch_size
    for taken, visit, items in made_ahead(_collated(clips, config, workers, first_step), _BATCHES_AHEAD):
        state.position = state.position.after(taken, visit)
        yield to_device(
            items,
            config.data.resolution,
            workers.device,
            loss_weight=len(taken) * share,
            epoch=visit // visits.videos,
        )


def made_ahead(items: Iterator[T], count: int) -> Iterator[T]:
    """The same endless items; up to `count` are made in a thread before they are asked for."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    try:
        coming: deque[Future[T]] = deque(pool.submit(next, items) for _ in range(count))
        while True:
            item = coming.popleft().result()
            coming.append(pool.submit(next, items))
            yield item
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _collated(
    clips: Iterator[tuple[StreamedClip, int]], config: Config, workers: Workers, first_step: int
) -> Iterator[tuple[list[ClipPlace], int, dict[str, Any]]]:
    """For each step: where its clips come from, the first visit of which clips are left, and the clips."""
    for step in itertools.count(first_step):
        draws = [Draw(0, step, index) for index in range(config.training.batch_size)]
        # If the batch can't be divided equally, the workers take turns.
        own = rank_slice(draws, rank=(workers.rank + step) % workers.world_size, world_size=workers.world_size)
        drawn = list(itertools.islice(clips, len(own)))
        items = [augmented(each.clip, draw, config) for draw, (each, _) in zip(own, drawn, strict=True)]
        yield [(each.visit, each.number) for each, _ in drawn], drawn[-1][1], default_collate(items)


def shuffled(
    clips: Iterator[StreamedClip], count: int, random: np.random.Generator
) -> Iterator[tuple[StreamedClip, int]]:
    """The endless clips, every `count` in another order, each with the first visit of which any are left after it."""
    while True:
        some = list(itertools.islice(clips, count))
        order = random.permutation(len(some))
        for place, index in enumerate(order, start=1):
            yield some[index], min((some[later].visit for later in order[place:]), default=some[-1].visit)


def worker_clips(
    visits: RunningVisits, config: Config, run: str, workers: Workers, start: StreamPosition
) -> Iterator[StreamedClip]:
    """This worker's clips of all visits from a position on: the workers take them in turn, also from round to round."""
    shard: Any = ray.train.get_dataset_shard(CLIPS)
    rank, given = workers.rank, 0
    epoch, reported = start.visit // visits.videos, ""
    for first in itertools.count(start.visit, visits.a_round):
        # A round's first clip is of split 0. If that were always the same worker's, it would get ahead of the others
        # until all wait for each other: it for their next step, they for its next round.
        take_split(shard, (rank - given) % workers.world_size)
        if rank == 0:
            ray.get(visits.actor.start.remote(first, start.taken))  # the others wait for it with their first clip
        blocks: Any = shard.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=_READ_AHEAD)
        visit = -1
        for rows in blocks:
            for row in range(rows.num_rows):
                visit = rows[VISIT][row].as_py()
                if visit // visits.videos > epoch:  # each video of the epoch before was visited
                    epoch = visit // visits.videos
                    reported = _report_epoch(visits.actor, run, reported) if rank == 0 else ""
                clip = clip_of_row(rows, row, frames=config.clips.frames, stored_size=config.clips.stored_size)
                yield StreamedClip(visit, rows[CLIP][row].as_py(), clip)
        if visit < 0:
            reported = _report_epoch(visits.actor, run, reported)
        in_round: int = ray.get(visits.actor.given.remote(first, visits.a_round))  # type: ignore[assignment]
        given += in_round


def _report_epoch(visits: ActorHandle[Any], run: str, reported_before: str) -> str:
    """Print what an epoch held, if that differs from the last report. Raises UserError if it held no clips."""
    report: tuple[int | None, list[Reject]] = ray.get(visits.report.remote())  # type: ignore[assignment]
    clips, rejects = report
    if clips is None:  # the run was resumed in its middle
        return reported_before
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
