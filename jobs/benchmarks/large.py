"""What large collections cost besides their videos: planning, starting or resuming a shard, merging, opening, drawing.

The videos are empty files. Records are made for one shard only, and for all to merge up to 100,000 sources: of more,
making them would take longer than all else. Four clips of each source stand in an index made here; while merging, each
source's file of clips is a link to one, and its fingerprint is random, so that none is a copy.
Each measurement has a process of its own, whose peak memory (with the index's pages, as far as they were read) is
counted from what it has after its imports.
"""

import contextlib
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measuring import Ratio
from s2v_ray.dataset.clip_index import write_table
from s2v_ray.dataset.index import write_dataset, write_record
from s2v_ray.dataset.measures import Measures
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.dataset.records import SourceRecord
from s2v_ray.dataset.schema import clip_row
from s2v_ray.dataset.settings import CENTRE, OFF, ClipSettings, clip_settings
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.preparation.plan import plan
from s2v_ray.preparation.prepare import resume_source
from s2v_ray.preparation.shards import Shard, mark_finished, only_plan, shared_plan
from s2v_ray.recipes.merge import merge_clips
from s2v_ray.training.data.order import global_batch

SHARDS, CLIPS_PER_SOURCE, BATCH, FILES_PER_FOLDER = 600, 4, 64, 1000
SHARD = Shard(1, SHARDS)
MOST_MERGED = 100_000
FINGERPRINT_BYTES = 2 * 16 * 30  # half a minute of words of 16 bits, 16 a second
MEASURES = Measures(-20.0, 0.01, 0.0, 0.0, 0.5, 0.0, 0.5)


def simulated(counts: list[int]) -> Iterator[Ratio]:
    """Seconds and peak MiB over millions of sources; constant figures from size to size mean that cost is linear."""
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            home, millions = Path(folder), count / 1e6
            make_files(home / "videos", count)
            works = [
                ("plan, written for all shards", start_shard, None),
                ("start of a shard", start_shard, None),
                (f"resume of one shard of {SHARDS}", resume_shard, partial(make_records, home, all_shards=False)),
                ("merge", merge_shards, partial(make_records, home, all_shards=True)),
            ]
            for name, work, make in works if count <= MOST_MERGED else works[:-1]:
                if make:
                    make()
                seconds, peak = in_process(partial(work, home))
                yield Ratio(f"{count:,} sources, {name}: seconds over millions of sources", seconds[0], millions)
                yield Ratio(f"{count:,} sources, {name}: MiB over millions of sources", peak, millions)
            shutil.rmtree(home / "videos")
            make_index(home / "large", count)
            (opening, first, batch, clip), peak = in_process(partial(open_clips, home / "large"))
            yield Ratio(f"{count:,} sources, opening to train: seconds over millions of sources", opening, millions)
            yield Ratio(f"{count:,} sources, the first batch: seconds over millions of sources", first, millions)
            yield Ratio(f"{count:,} sources, a later batch of {BATCH}: seconds over batches", batch, 1)
            yield Ratio(f"{count:,} sources, finding a clip: seconds over clips", clip, 1)
            yield Ratio(f"{count:,} sources, opening to train: MiB over millions of sources", peak, millions)


def in_process(work: Callable[[], list[float]]) -> tuple[list[float], float]:
    """What `work` returns in a new process, and by how many MiB its peak memory rises."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work,))


def _measured(work: Callable[[], list[float]]) -> tuple[list[float], float]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _memory("VmRSS")
    found = work()
    return found, _memory("VmHWM") - before


def _memory(name: str) -> float:
    """MiB of this process, as Linux counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def settings() -> ClipSettings:
    """Such that no video need be looked at to choose them."""
    return clip_settings(clip_seconds=4, frame_rate="30", crop=CENTRE, stabilize=OFF)


def make_files(folder: Path, count: int) -> None:
    """Empty files, a thousand in a folder."""
    for number in range(count):
        if number % FILES_PER_FOLDER == 0:
            below = folder / f"{number // FILES_PER_FOLDER:06d}"
            below.mkdir(parents=True)
        (below / f"video_{number:08d}.mp4").touch()


def start_shard(home: Path) -> list[float]:
    """Plan, or find the plan."""
    start = time.perf_counter()
    asked = {"videos": [str(home / "videos")], "settings": asdict(settings())}
    videos, out = str(home / "videos"), str(home / "clips")
    shared_plan(out, SHARD, asked, partial(plan, [videos], out, "large", settings(), split_by="source"))
    return [time.perf_counter() - start]


def resume_shard(home: Path) -> list[float]:
    """See that all of a shard is done."""
    start = time.perf_counter()
    shared = only_plan(str(home / "clips"))
    if not all(resume_source(task) == CLIPS_PER_SOURCE for task in shared.tasks_of(SHARD)):
        raise RuntimeError("a source was not done")
    return [time.perf_counter() - start]


def merge_shards(home: Path) -> list[float]:
    """Make one data set of all shards."""
    start = time.perf_counter()
    if not merge_clips(str(home / "clips")).info.complete:
        raise RuntimeError("shards are missing")
    return [time.perf_counter() - start]


def make_records(home: Path, *, all_shards: bool) -> None:
    """Records and files of clips of the sources of a shard, or of all of them, as if they were done."""
    plan = only_plan(str(home / "clips"))
    make_clips(home / "clips.parquet")
    rng = np.random.default_rng(0)
    for task in plan.tasks if all_shards else plan.tasks_of(SHARD):
        source, folder = task.source, home / "clips" / f"split={task.split}"
        record = SourceRecord(
            source.name, source.path, source.version(), task.split, False, CLIPS_PER_SOURCE, (), crop=None,
            fingerprint=rng.bytes(FINGERPRINT_BYTES).hex(), lag_fixed=0, group=source.group, unit=task.unit,
        )  # fmt: skip
        write_record(task.out, source.key, record)
        folder.mkdir(exist_ok=True)
        file = folder / f"{source.key}.parquet"
        file.unlink(missing_ok=True)
        file.hardlink_to(home / "clips.parquet")
    for number in range(1, SHARDS + 1) if all_shards else ():
        mark_finished(plan, Shard(number, SHARDS), len(plan.tasks_of(Shard(number, SHARDS))) * CLIPS_PER_SOURCE)


def make_clips(file: Path) -> None:
    """A file of four black and silent clips."""
    with contextlib.ExitStack() as closing:
        writer = None
        for number in range(CLIPS_PER_SOURCE):
            size = settings().stored_size
            row = clip_row(
                "video.mp4", "large", Fraction(4 * number), np.zeros((settings().frames, size, size, 3), np.uint8),
                np.zeros(settings().frames * settings().samples_per_frame, np.int16), MEASURES, settings(),
                square=(0, 0, size), transforms_T23=np.tile(np.eye(2, 3, dtype=np.float32), (settings().frames, 1, 1)),
            )  # fmt: skip
            writer = writer or closing.enter_context(pq.ParquetWriter(file, row.schema, compression="none"))
            writer.write_batch(row)


def make_index(folder: Path, count: int) -> None:
    """A data set without clips, and an index that names four of each source."""
    tables = []
    for split, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        rows = round(count * share)
        names = [f"{split}_{number:08d}" for number in range(rows)]
        columns = {
            "split": [split] * rows,
            "file": [f"{name}-0123456789abcdef.parquet" for name in names],
            "source": [f"videos/{name}.mp4" for name in names],
            "clips": pa.ListArray.from_arrays(
                np.arange(0, rows * CLIPS_PER_SOURCE + 1, CLIPS_PER_SOURCE, dtype=np.int32),
                np.ones(rows * CLIPS_PER_SOURCE, np.int32),
            ),
        }
        tables.append(pa.table(columns))
    name = write_table(folder, tables)
    write_dataset(
        folder, settings(), "large", split_by="source", planned_splits={}, missing=[], complete=True, clip_index=name
    )


def open_clips(folder: Path) -> list[float]:
    """Open the data set, draw a first and some later batches, and find their clips."""
    start = time.perf_counter()
    reader = ClipReader(folder, "train")
    reader.fingerprint  # noqa: B018 - a run is opened by it
    opened = time.perf_counter()
    draw = partial(global_batch, clip_count=len(reader), batch_size=BATCH, seed=0)
    draws = draw(0)
    first = time.perf_counter()
    for step in range(1, 101):
        draws = draw(step)
    later = time.perf_counter()
    sources = reader.sources
    for drawn in draws:
        sources[drawn.clip]
    found = time.perf_counter()
    return [opened - start, first - opened, (later - first) / 100, (found - later) / len(draws)]
