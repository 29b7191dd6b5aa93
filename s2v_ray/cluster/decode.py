"""Videos into clips, by Ray Data, on the CPUs that the workers leave free.

Each process that decodes imports this file, so it is kept clear of torch.
"""

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
import ray
from ray.actor import ActorHandle
from ray.data import Dataset

from s2v_ray.cluster.watchdog import MOST_TRIES, terminate_on_hang
from s2v_ray.dataset.reader import CLIP_COLUMNS
from s2v_ray.dataset.records import Reject
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.prepare import source_clips


def clip_dataset(epoch: ActorHandle, videos: int) -> Dataset:
    """All clips of the epoch that `epoch` (an `Epoch` of so many videos) is at when this is executed, one a block."""
    places = [{"place": place} for place in range(videos)]
    dataset = ray.data.from_items(places, override_num_blocks=videos).map_batches(
        partial(_clips_at, epoch=epoch),
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=1,
    )
    context = dataset.context
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # byte, so that a block is a clip, and the workers get equally many
    context.max_errored_blocks = -1  # a video that crashes the decoder is told of in the end
    context.print_on_execution_start = context.enable_progress_bars = False
    return dataset


@ray.remote(num_cpus=0)
class Epoch:
    """Which epoch it is, which video has which place in it, and what became of each."""

    def __init__(self, jobs: list[SourceTask], seed: int) -> None:
        self.jobs, self.seed = jobs, seed
        self.tries: Counter[str] = Counter()
        self.begin(0)

    def begin(self, number: int) -> None:
        """Draw the order of an epoch."""
        self.order = np.random.default_rng([self.seed, number]).permutation(len(self.jobs))
        self.told: dict[str, tuple[int, list[Reject]]] = {}

    def job(self, place: int) -> SourceTask | None:
        """The video at a place; None where its process died too often."""
        job = self.jobs[self.order[place]]
        self.tries[job.source.name] += 1
        return job if self.tries[job.source.name] <= MOST_TRIES else None

    def tell(self, source: str, clips: int, rejects: list[Reject]) -> None:
        """Remember what a video gave."""
        self.told[source] = (clips, rejects)
        self.tries.pop(source, None)

    def report(self) -> tuple[int, list[Reject]]:
        """How many clips there were, and what was rejected."""
        clips = sum(clips for clips, _ in self.told.values())
        rejects = [reject for source in sorted(self.told) for reject in self.told[source][1]]
        detail = "Its process died each time, as by a crash of the decoder; convert it with another program."
        rejects += [
            Reject(job.source.name, None, "crashed", detail) for job in self.jobs if job.source.name not in self.told
        ]
        return clips, rejects


def _clips_at(places: pa.Table, epoch: ActorHandle) -> Iterator[pa.Table]:
    # Tasks share the cores: one thread each is enough for the libraries underneath.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    job: SourceTask | None = ray.get(epoch.job.remote(places["place"][0].as_py()))  # type: ignore[assignment]
    if job is None:
        return
    rows: list[pa.RecordBatch] = []
    rejects: list[Reject] = []
    try:
        # All are cut before the first goes on: while nobody takes its clips, a task stands, but its clock goes on.
        with terminate_on_hang(job.settings.limits):
            rows += source_clips(job, rejects)
    except Exception as error:  # Ray Data would count it among the crashes of decoders
        rejects.append(Reject(job.source.name, None, "failed", f"{type(error).__name__}: {error}"))
    ray.get(epoch.tell.remote(job.source.name, len(rows), rejects))
    for row in rows:
        yield pa.Table.from_batches([row]).select(CLIP_COLUMNS)
