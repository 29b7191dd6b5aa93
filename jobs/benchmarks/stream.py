"""How long a training waits for its clips: prepared ones, and videos that are decoded meanwhile.

The step only takes time, as a GPU's does for the CPU: so the cores that it would need are free to decode.
"""

import argparse
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measuring import Ratio
from s2v_ray.cluster.streaming.source import open_stream
from s2v_ray.cluster.training import train_on_workers
from s2v_ray.config import load_config, with_settings
from s2v_ray.recipes.train import ClipSource, PreparedClips, TrainJob, fitted_config, job_on, streaming_settings
from s2v_ray.synthetic.write import synthesize
from s2v_ray.training.loop import Report, Stop
from s2v_ray.training.state import new_state
from s2v_ray.training.workers import Workers

_WARM_UP_STEPS = 5  # processes start, and the first videos are decoded


@dataclass(frozen=True)
class Timing:
    """Steps that each wait for a batch, and then for `step_seconds`."""

    steps: int
    step_seconds: float


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `benchmark.py stream`."""
    parser.add_argument("--videos", help="a folder of videos, instead of synthetic ones")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--step-seconds", type=float, default=2.0)


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """Both sides in turn, after one another's steps: the share of the time in which the slowest worker waited."""
    with tempfile.TemporaryDirectory() as folder:
        videos = str(Path(flags.videos).absolute()) if flags.videos else f"{folder}/videos"
        if not flags.videos:
            synthesize("sea", Path(videos), sources=12, seed=0, seconds=13.0, size=144)
        config = with_settings(load_config("tiny"), {"training.validate_clips": 4})
        settings = streaming_settings(config)
        config = fitted_config(config, settings)
        workers = flags.workers, flags.workers
        timing = Timing(flags.steps, flags.step_seconds)
        for turn in range(flags.repeats):
            run = f"{folder}/run_{turn}"
            stream = open_stream([videos], settings, config, run, workers=workers, device="cpu")
            sources: dict[str, ClipSource] = {"streamed": stream, "prepared": PreparedClips(stream.held_out)}
            for side, source in sources.items():
                job = job_on(source, config, run)
                result = Path(folder) / f"{side}_{turn}"
                loop = partial(_wait_for_batches, job, timing, str(result))
                clips = stream.dataset() if side == "streamed" else None
                train_on_workers(loop, workers=workers, device="cpu", run=run, max_failures=0, clips=clips)
                ranks = [json.loads(path.read_text()) for path in Path(folder).glob(f"{result.name}.*")]
                waited, total = max(ranks)
                yield Ratio(f"{side}, {flags.workers} workers, turn {turn + 1}: seconds waiting, of all", waited, total)


def _wait_for_batches(job: TrainJob, timing: Timing, result: str, workers: Workers, report: Report, stop: Stop) -> bool:
    """Write the seconds waited for batches, and all seconds, after a few steps to warm up."""
    state = new_state(job.config, workers.device)
    batches = job.clips.open(job.config, job.run, workers).batches(state)
    for _ in itertools.islice(batches, _WARM_UP_STEPS):
        threading.Event().wait(timing.step_seconds)
    waited, start = 0.0, time.monotonic()
    for _ in range(timing.steps):
        before = time.monotonic()
        next(batches)
        waited += time.monotonic() - before
        workers.sum(1)  # as gradients do
        threading.Event().wait(timing.step_seconds)
    Path(f"{result}.{workers.rank}").write_text(json.dumps([waited, time.monotonic() - start]))
    return True
