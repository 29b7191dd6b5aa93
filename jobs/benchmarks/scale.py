"""The cost of each unit of work here, and how it scales to two workers; jobs/README.md extrapolates to a cluster.

Each figure is a quotient: source-seconds over core-seconds, bytes over clips, and so on.
"""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import ray
import torch

from benchmarks.large import simulated
from benchmarks.measuring import Ratio
from benchmarks.prepare import SIZES, make_source
from benchmarks.train_case import CPU, case, make_clips
from s2v_ray.cluster.preparation import run_in_parallel
from s2v_ray.cluster.training import train_on_workers
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.settings import CENTRE, OFF, clip_settings
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.prepare import prepare_source
from s2v_ray.preparation.sources.source import Source
from s2v_ray.training.checkpoint import take_snapshot, write_checkpoint
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.loop import Report, Stop
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step
from s2v_ray.training.workers import Workers

# How many steps are timed.
STEPS = {"tiny": 12, "paper": 2}
SOURCES = 8  # videos of twelve seconds, prepared by one or two tasks


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `benchmark.py scale`."""
    parser.add_argument("--source-seconds", type=float, default=60)
    parser.add_argument(
        "--simulate", type=int, nargs="*", default=[], help="instead, plan and open data sets of so many sources"
    )


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """Unit costs on one core; then preparation by one and two tasks, and training by one and two workers."""
    if flags.simulate:
        yield from simulated(flags.simulate)
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, size in SIZES.items():
            yield from prepared(home, name, size, flags)
        clips = make_clips(home)
        written = sum(path.stat().st_size for path in Path(clips).rglob("*.parquet"))
        yield Ratio("clips of 64 x 64: bytes over clips", written, read_dataset(clips).counts.clips)
        for preset, steps in STEPS.items():
            yield from trained(home, preset, clips, steps)
        yield from tasks(home)
        yield from workers(home, clips, flags.repeats)


def prepared(home: Path, name: str, size: tuple[int, int], flags: argparse.Namespace) -> Iterator[Ratio]:
    """What preparing a video costs, over all threads."""
    video = home / f"{name}.mp4"
    make_source(video, *size, flags.source_seconds)
    task = SourceTask(
        Source(str(video), video.name),
        "train",
        "test",
        str(home / "prepared"),
        clip_settings(crop=CENTRE, stabilize=OFF),
    )
    spent = []
    for _ in range(flags.repeats + 1):
        start = time.process_time()
        prepare_source(task)
        spent.append(time.process_time() - start)
    yield Ratio(f"prepare {name}: source-seconds over core-seconds", flags.source_seconds, statistics.median(spent[1:]))


def trained(home: Path, preset: str, clips: str, steps: int) -> Iterator[Ratio]:
    """What a step costs on one core, what its workers would exchange, and the size of a checkpoint."""
    measured = case(preset, clips, training__loader_workers=0)
    state = new_state(measured.config, CPU)
    seconds = []
    for batch in measured.batches(steps + 1):
        start = time.process_time()
        train_step(state, batch)
        seconds.append(time.process_time() - start)
    yield Ratio(f"{preset}: core-seconds over steps", sum(seconds[1:]), steps)
    yield Ratio(f"{preset}: clips over steps", measured.config.training.batch_size, 1)
    gradients = sum(weight.nbytes for _, network in state.networks.items() for weight in network.parameters())
    yield Ratio(f"{preset}: gradient bytes over steps", gradients, 1)
    saved = Path(write_checkpoint(home / preset, take_snapshot(state), best=False))
    written = sum(path.stat().st_size for path in saved.rglob("*") if path.is_file())
    yield Ratio(f"{preset}: bytes over checkpoints", written, 1)


def tasks(home: Path) -> Iterator[Ratio]:
    """Preparation by one task and by two."""
    make_source(home / "short.mp4", *SIZES["720p"], 12)
    source_tasks = []
    for number in range(SOURCES):
        path = home / f"{number}.mp4"
        path.symlink_to(home / "short.mp4")
        source_tasks.append(
            SourceTask(
                Source(str(path), path.name),
                "train",
                "test",
                str(home / "many"),
                clip_settings(crop=CENTRE, stabilize=OFF),
            )
        )
    rates = []
    for count in (1, 2):
        ray.shutdown()
        ray.init(
            address="local", num_cpus=count, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
        for turn in range(2):
            start = time.perf_counter()
            done = len(list(run_in_parallel(prepare_source, source_tasks)))
            rate = done / (time.perf_counter() - start)
            print(f"{count} tasks prepare {rate:.3g} sources per second{'' if turn else ' (warm-up)'}", flush=True)
        rates.append(rate)
    ray.shutdown()
    yield Ratio("prepare: sources per second of two tasks over those of one", rates[1], rates[0])


def workers(home: Path, clips: str, repeats: int) -> Iterator[Ratio]:
    """One worker and two, of one thread each: with the same global batch, and with the same batch per worker."""
    size = case("tiny", clips).config.training.batch_size
    runs = {"alone": (1, size), "strong": (2, size), "weak": (2, 2 * size)}
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats):
        for name, (count, batch) in runs.items():
            result = home / "seconds"
            loop = partial(timed_loop, clips, batch, result)
            run = home / f"{name}{repeat}"
            train_on_workers(loop, workers=(count, count), device="cpu", run=run, max_failures=0)
            spent[name].append(float(result.read_text()))
            print(f"{count} workers, {batch} clips per step: {spent[name][-1]:.3g} s", flush=True)
    ray.shutdown()
    alone, strong, weak = (statistics.median(seconds) for seconds in spent.values())
    yield Ratio("tiny, the same batch: seconds of one worker over those of two (2 is ideal)", alone, strong)
    yield Ratio("tiny, twice the batch: seconds of one worker over those of two (1 is ideal)", alone, weak)


def timed_loop(clips: str, batch_size: int, result: Path, workers: Workers, report: Report, stop: Stop) -> bool:
    """Train, data included, and write the median seconds of a step; the first does not count."""
    torch.set_num_threads(1)
    measured = case("tiny", clips, training__batch_size=batch_size, training__loader_workers=0)
    state = new_state(measured.config, workers.device, distributed=workers.world_size > 1)
    shard = {"first_step": 0, "rank": workers.rank, "world_size": workers.world_size}
    batches = training_batches(measured.reader, measured.config, workers.device, **shard)
    seconds = []
    for _ in range(STEPS["tiny"] + 1):
        start = time.perf_counter()
        train_step(state, next(batches))
        seconds.append(time.perf_counter() - start)
    if workers.rank == 0:
        result.write_text(str(statistics.median(seconds[1:])))
    return True
