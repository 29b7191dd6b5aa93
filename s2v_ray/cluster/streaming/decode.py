"""Videos into clips, by Ray Data, on the CPUs that the workers leave free.

Each process that decodes imports this file, so it is kept clear of torch.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from ray.actor import ActorHandle
from ray.data import Dataset

from s2v_ray.cluster.monitoring import source_counter
from s2v_ray.cluster.watchdog import MOST_TRIES, terminate_on_hang
from s2v_ray.dataset.reader import CLIP_COLUMNS
from s2v_ray.dataset.records import Reject
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.prepare import source_clips
from s2v_ray.training.data.stream import ClipPlace

# Where a row comes from: the visit of a video, and which of the video's clips it is.
VISIT, CLIP = "visit", "clip"


def clip_dataset(visits: ActorHandle[Any], count: int) -> Dataset:
    """All clips of a round, one a block, in their order: the `count` visits that `visits` (a `Visits`) is at when it is
    executed.
    """
    numbers = [{"index": index} for index in range(count)]
    indices = ray.data.from_items(numbers, override_num_blocks=count)
    dataset = indices.map_batches(partial(_decode, visits=visits), batch_size=1, batch_format="pyarrow", num_cpus=1)
    context = dataset.context
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # byte, so that a block is a clip, and the workers get equally many
    context.max_errored_blocks = -1  # a video that crashes the decoder is reported at the end of the epoch
    context.print_on_execution_start = context.enable_progress_bars = False
    return dataset


@ray.remote(num_cpus=0)
class Visits:
    """Which video is decoded when: an epoch visits each once, in an order of its own, and one follows the other.

    Visit v is of epoch v // videos. It keeps what became of each video when it was last visited.
    """

    def __init__(self, tasks: list[SourceTask], seed: int) -> None:
        self.tasks, self.seed = tasks, seed
        self.count = source_counter(tasks[0].domain)
        self.tries: Counter[str] = Counter()
        self.results: dict[str, tuple[int, list[Reject]]] = {}
        self.total = 0  # of their clips
        self.order: tuple[int, np.ndarray] = (-1, np.empty(0))
        self.cut: dict[int, int] = {}  # the clips of each visit of this round and of the one before
        self.totals: dict[int, int] = {}  # what `given` answered, by the first visit of a round
        self.first = 0
        self.start(0, ())

    def start(self, first: int, taken: Iterable[ClipPlace]) -> None:
        """Start a round at a visit; `taken` are clips, by visit and number, that are not given again."""
        # A worker may not have asked yet what the round before gave; if the training starts again, nothing is known.
        self.cut = {visit: clips for visit, clips in self.cut.items() if self.first <= visit < first}
        self.totals = {visit: clips for visit, clips in self.totals.items() if self.first <= visit < first}
        self.first = first
        self.taken: dict[int, set[int]] = defaultdict(set)
        for visit, clip in taken:
            self.taken[visit].add(clip)

    def task(self, index: int) -> tuple[int, SourceTask, set[int]] | None:
        """A visit of the round, its video, and its clips that are not given again.

        None if the video's process died too often, or if all videos were visited and none has clips.
        """
        if self.clips() == 0:
            return None
        visit = self.first + index
        epoch, number = divmod(visit, len(self.tasks))
        if self.order[0] != epoch:
            self.order = epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.tasks))
        task = self.tasks[self.order[1][number]]
        self.tries[task.source.name] += 1
        if self.tries[task.source.name] > MOST_TRIES:
            detail = "Its process died each time, as when the decoder crashes; convert it with another program."
            self.record(visit, task.source.name, 0, [Reject(task.source.name, None, "crashed", detail)])
            return None
        return visit, task, self.taken.get(visit, set())

    def record(self, visit: int, source: str, clips: int, rejects: list[Reject]) -> None:
        """Note how many clips a visit cut from a video, and what of it was rejected."""
        self.count(clips, [reject.reason for reject in rejects])
        self.cut[visit] = clips
        before, _ = self.results.get(source, (0, []))
        self.total += clips - before
        self.results[source] = (clips, rejects)
        self.tries.pop(source, None)

    def given(self, first: int, visits: int) -> int:
        """The number of clips in a round that has ended, by its first visit; each worker is told the same."""
        cut = (self.cut.get(visit, 0) - len(self.taken.get(visit, ())) for visit in range(first, first + visits))
        return self.totals.setdefault(first, sum(max(0, clips) for clips in cut))

    def clips(self) -> int | None:
        """The number of clips of an epoch; None before each video was visited."""
        return self.total if len(self.results) == len(self.tasks) else None

    def report(self) -> tuple[int | None, list[Reject]]:
        """The number of clips of an epoch, as `clips` says, and what was rejected."""
        return self.clips(), [reject for source in sorted(self.results) for reject in self.results[source][1]]


def _decode(indices: pa.Table, visits: ActorHandle[Any]) -> Iterator[pa.Table]:
    # Tasks share the cores: one thread each is enough for the libraries underneath.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found: Any = ray.get(visits.task.remote(indices["index"][0].as_py()))
    if found is None:
        return
    visit, task, taken = found
    rows: list[pa.RecordBatch] = []
    rejects: list[Reject] = []
    try:
        # All clips are cut before the first is yielded: a task waits until its clips are taken, but its clock runs on.
        with terminate_on_hang(task.settings.limits):
            rows += source_clips(task, rejects)
    except Exception as error:  # Ray Data would count it as a crash of the decoder
        rejects.append(Reject(task.source.name, None, "failed", f"{type(error).__name__}: {error}"))
    ray.get(visits.record.remote(visit, task.source.name, len(rows), rejects))
    for clip, row in enumerate(rows):
        if clip not in taken:
            table = pa.Table.from_batches([row]).select(CLIP_COLUMNS)
            yield table.append_column(VISIT, [[visit]]).append_column(CLIP, [[clip]])
