"""Videos into clips, by Ray Data, on the CPUs that the workers leave free.

Each process that decodes imports this file, so it is kept clear of torch.
"""

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

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


def clip_dataset(epoch: ActorHandle[Any], videos: int) -> Dataset:
    """All clips, one a block, of the epoch that `epoch` (an `Epoch` of this many videos) is at when it is executed."""
    indices = ray.data.from_items([{"index": index} for index in range(videos)], override_num_blocks=videos)
    decode = partial(_decode, epoch=epoch)
    dataset = indices.map_batches(decode, batch_size=1, batch_format="pyarrow", num_cpus=1)
    context = dataset.context
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # byte, so that a block is a clip, and the workers get equally many
    context.max_errored_blocks = -1  # a video that crashes the decoder is reported at the end of the epoch
    context.print_on_execution_start = context.enable_progress_bars = False
    return dataset


@ray.remote(num_cpus=0)
class Epoch:
    """The number of the epoch, the order of its videos, and the result of each."""

    def __init__(self, tasks: list[SourceTask], seed: int) -> None:
        self.tasks, self.seed = tasks, seed
        self.tries: Counter[str] = Counter()
        self.start(0)

    def start(self, number: int) -> None:
        """Draw the order of an epoch."""
        self.order = np.random.default_rng([self.seed, number]).permutation(len(self.tasks))
        self.results: dict[str, tuple[int, list[Reject]]] = {}

    def task(self, index: int) -> SourceTask | None:
        """The video at an index of the order; None if its process died too often."""
        task = self.tasks[self.order[index]]
        self.tries[task.source.name] += 1
        return task if self.tries[task.source.name] <= MOST_TRIES else None

    def record(self, source: str, clips: int, rejects: list[Reject]) -> None:
        """Note how many clips were cut from a video, and what of it was rejected."""
        self.results[source] = (clips, rejects)
        self.tries.pop(source, None)

    def report(self) -> tuple[int, list[Reject]]:
        """The number of clips, and what was rejected."""
        clips = sum(clips for clips, _ in self.results.values())
        rejects = [reject for source in sorted(self.results) for reject in self.results[source][1]]
        detail = "Its process died each time, as when the decoder crashes; convert it with another program."
        missing = [task.source.name for task in self.tasks if task.source.name not in self.results]
        rejects += [Reject(name, None, "crashed", detail) for name in missing]
        return clips, rejects


def _decode(indices: pa.Table, epoch: ActorHandle[Any]) -> Iterator[pa.Table]:
    # Tasks share the cores: one thread each is enough for the libraries underneath.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    task: SourceTask | None = ray.get(epoch.task.remote(indices["index"][0].as_py()))  # type: ignore[assignment]
    if task is None:
        return
    rows: list[pa.RecordBatch] = []
    rejects: list[Reject] = []
    try:
        # All clips are cut before the first is yielded: a task waits until its clips are taken, but its clock runs on.
        with terminate_on_hang(task.settings.limits):
            rows += source_clips(task, rejects)
    except Exception as error:  # Ray Data would count it as a crash of the decoder
        rejects.append(Reject(task.source.name, None, "failed", f"{type(error).__name__}: {error}"))
    ray.get(epoch.record.remote(task.source.name, len(rows), rejects))
    for row in rows:
        yield pa.Table.from_batches([row]).select(CLIP_COLUMNS)
