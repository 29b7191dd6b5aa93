"""A training under Ray Train against one in local mode: python -m benchmarks.train_ray SIDE PRESET CLIPS STEPS."""

import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

from benchmarks.train_case import case
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.loop import Report, Stop
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step
from s2v_ray.training.workers import ALONE, Workers

_JOBS = Path(__file__).parents[1]


def step_seconds(side: str, preset: str, clips: str, steps: int) -> float:
    """The median step of a side ("ray", "local") in a fresh process, as measured inside the loop."""
    command = [sys.executable, "-m", "benchmarks.train_ray", side, preset, clips, str(steps)]
    return float(subprocess.run(command, cwd=_JOBS, capture_output=True, text=True, check=True).stdout.split()[-1])


def timed_loop(preset: str, clips: str, steps: int, result: Path, workers: Workers, report: Report, stop: Stop) -> bool:
    """Train, data included, and write the median seconds of a step; the first does not count."""
    torch.set_num_threads(2)  # Ray would give a worker of one CPU one thread
    trained = case(preset, clips)
    state = new_state(trained.config, workers.device, distributed=workers.world_size > 1)
    seconds = []
    batches = training_batches(trained.reader, trained.config, workers.device)
    for _ in range(steps + 1):
        start = time.perf_counter()
        train_step(state, next(batches))
        seconds.append(time.perf_counter() - start)
    result.write_text(str(statistics.median(seconds[1:])))
    return True


def main(side: str, preset: str, clips: str, steps: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "seconds"
        loop = partial(timed_loop, preset, clips, int(steps), result)
        if side == "ray":
            from s2v_ray.cluster.training import train_on_workers

            train_on_workers(loop, workers=(1, 1), device="cpu", run=Path(folder) / "run", max_failures=0)
        else:
            loop(ALONE, lambda location, metrics: None, lambda: False)
        print(result.read_text())


if __name__ == "__main__":
    # Imported as part of the package, so that Ray's worker can unpickle the loop by its name.
    from benchmarks.train_ray import main as run

    run(*sys.argv[1:])
