"""Videos as a source of clips: Ray Data cuts them on spare CPUs while the workers train.

An epoch is every video once, and epochs follow each other without a gap. Which clip a worker sees when is a function
of the seed, the number of workers, and where the run was resumed; each epoch has each clip once whatever they are.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import ray
import ray.train
from ray.actor import ActorHandle
from ray.data import Dataset

from s2v_ray.cluster.connect import connect, grows
from s2v_ray.cluster.preparation import run_in_parallel
from s2v_ray.cluster.resources import scaling
from s2v_ray.cluster.streaming.batches import RunningVisits, stream_batches
from s2v_ray.cluster.streaming.decode import Visits, clip_dataset
from s2v_ray.config import Config
from s2v_ray.dataset.index import read_records, read_same_dataset, write_dataset
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.dataset.splits import AUTO
from s2v_ray.errors import UserError
from s2v_ray.preparation.plan import Plan, plan
from s2v_ray.recipes.prepare import domain_of, prepare_tasks
from s2v_ray.recipes.train import Feed, held_out_validation
from s2v_ray.storage.files import exists
from s2v_ray.storage.paths import join
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.state import TrainingState
from s2v_ray.training.workers import Workers

# Between two executions of the data set decoding pauses, for a second or so; each is planned at once.
_VISITS_A_ROUND = 1000
_VIDEOS = 8  # to validate on at most: several clips of each are prepared before the training starts
_SOUNDS = 4  # videos that a validation needs at least: it compares with the sounds of three others


@dataclass(frozen=True)
class VideoStream:
    """Videos to train on: what the workers know of them."""

    visits: ActorHandle[Any]  # a `Visits`
    videos: int
    fingerprint: str
    held_out: str  # clips of a few videos of the split `val`, prepared
    visits_a_round: int = _VISITS_A_ROUND

    def dataset(self) -> Dataset:
        """The clips, for the workers to share."""
        return clip_dataset(self.visits, self.visits_a_round)

    def open(self, config: Config, run: str, workers: Workers) -> Feed:
        """This worker's share."""

        def batches(state: TrainingState) -> Iterator[Batch]:
            source = RunningVisits(self.visits, self.videos, self.visits_a_round)
            return stream_batches(source, config, run, workers, state)

        validate, warning = held_out_validation(self.held_out, config)
        return Feed(self.fingerprint, validate, batches, warning=warning)


def open_stream(
    videos: list[str], settings: ClipSettings, config: Config, run: str, *, workers: tuple[int, int], device: str
) -> VideoStream:
    """Find the videos, check that the cluster can both train and decode, and prepare the clips to validate on.

    Raises UserError if it can't, or if there are no videos to train on.
    """
    connect()
    scaling(workers, device, ray.cluster_resources(), decoding=True, grows=grows())
    held_out, domain = join(run, "validation_clips"), domain_of((videos[0],))
    # A run that resumes, perhaps with more videos, trains on nothing that it has validated on.
    before = read_same_dataset(held_out, settings, domain) if exists(join(held_out, "dataset.json")) else None
    split_by, assigned = (before.split_by, before.planned_splits) if before else (AUTO, {})
    planned = plan(videos, run, domain, settings, split_by=split_by, assigned=assigned, with_scenes=False)
    if planned.splits.in_blocks:
        print("Training on blocks of each video's time; the others, a second apart, are held out.", flush=True)
    tasks = [replace(task, splits=("train",)) for task in planned.tasks if task.in_blocks or task.split == "train"]
    if not tasks:
        raise UserError("no_videos", f"{', '.join(videos)} has no videos in the split 'train'; give more videos.")
    _prepare_held_out(planned, held_out, min(config.training.validate_clips, _VIDEOS))
    names = "\n".join([settings.fingerprint, *(task.source.name for task in tasks)])
    return VideoStream(
        Visits.remote(tasks, config.training.seed),  # type: ignore[attr-defined]
        len(tasks),
        hashlib.sha256(names.encode()).hexdigest()[:16],
        held_out,
    )


def _prepare_held_out(planned: Plan, clips: str, count: int) -> None:
    """Prepare up to `count` videos of the split `val`, and of `train` as many as these lack in other sounds.

    Of videos that are cut into blocks of time, only the blocks of `val` are prepared.
    """
    whole = [task for task in planned.tasks if not task.in_blocks]
    blocks = [replace(task, splits=("val",)) for task in planned.tasks if task.in_blocks]
    held_out = [*(task for task in whole if task.split == "val"), *blocks][:count]
    more = [task for task in whole if task.split == "train"][: max(0, _SOUNDS - len(held_out))]
    done = read_records(clips)
    chosen = [*held_out, *more] if held_out else []
    tasks = [replace(task, out=clips) for task in chosen if task.source.name not in done]
    if tasks:
        print(f"Preparing clips of {len(held_out)} videos to validate on", flush=True)
    prepare_tasks(tasks, run_in_parallel)
    info = write_dataset(
        clips,
        planned.settings,
        planned.domain,
        split_by=planned.splits.split_by,
        planned_splits={task.unit: task.split for task in planned.tasks},
        missing=planned.missing,
        complete=True,
    )
    if not info.split_counts["val"].clips:
        print("No clip fell into the split 'val', so no best checkpoint is chosen; add more videos.", flush=True)
