"""How long a step waits for its clips, and how fast the loader is on its own."""

import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.measuring import Ratio, alternate
from benchmarks.train_case import CPU, Case
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step


def waiting(name: str, trained: Case, steps: int, device: torch.device = CPU) -> Ratio:
    """The median seconds that a step waits for its batch, against its whole duration, without the first step."""
    state = new_state(trained.config, device)
    waits, steps_seconds = [], []
    batches = training_batches(trained.reader, trained.config, device)
    for _ in range(steps + 1):
        start = time.perf_counter()
        batch = next(batches)
        received = time.perf_counter()
        train_step(state, batch)
        if device.type == "cuda":
            torch.cuda.synchronize()
        waits.append(received - start)
        steps_seconds.append(time.perf_counter() - start)
    waited, step = statistics.median(waits[1:]), statistics.median(steps_seconds[1:])
    return Ratio(f"{name}: waiting for data, seconds of a step", waited, step)


def feed(name: str, trained: Case, clips: str, repeats: int) -> Iterator[Ratio]:
    """Clips per second of the loader alone against a raw read of the same files."""
    count, size = len(trained.reader), trained.config.training.batch_size
    paths = sorted(Path(clips).glob("split=train/*.parquet"))
    batches = training_batches(trained.reader, trained.config, CPU)

    def drain() -> None:
        for _ in itertools.islice(batches, -(-count // size)):
            pass

    def read() -> None:
        for path in paths:
            path.read_bytes()

    drained, raw = alternate([drain, read], repeats)
    yield Ratio(f"{name}: clips per second of the loader alone, against a raw read", count / drained, count / raw)
