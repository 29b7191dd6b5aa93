"""A training step on a GPU, or on this CPU at tiny sizes: against its peak, precisions, torch.compile, two at once.

Its name says which device gave the figures.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import Ratio, alternate
from benchmarks.naive_gan import naive_gan, pix2pix_step
from benchmarks.train_case import case, make_clips
from benchmarks.train_feed import waiting
from s2v_ray.config import load_config, with_settings
from s2v_ray.dataset.index import read_dataset
from s2v_ray.recipes.train import PreparedClips, job_on, run_training
from s2v_ray.training.run import config_for_clips, open_run
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step
from s2v_ray.training.workers import Workers

_JOBS = Path(__file__).parents[1]
_STEPS = 10 if torch.cuda.is_available() else 2  # in one measurement


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `benchmark.py device`."""
    parser.add_argument("--preset", help="by default stable on a GPU, tiny on a CPU")
    parser.add_argument("--resolutions", type=int, nargs="+", help="by default 64 128 256 on a GPU, 16 on a CPU")
    parser.add_argument("--train-minutes", type=float, default=0.0, help="also train so long at each, such as 10")
    parser.add_argument("--clips", help="prepared clips to train on so long, instead of synthetic ones")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """At each resolution: what a step costs, and what changes that."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    on_gpu = device.type == "cuda"
    preset = flags.preset or ("stable" if on_gpu else "tiny")
    print(f"{torch.cuda.get_device_name() if on_gpu else platform.processor() or 'a CPU'}, torch {torch.__version__}")
    for resolution in flags.resolutions or ((64, 128, 256) if on_gpu else (16,)):
        with tempfile.TemporaryDirectory() as folder:
            clips = make_clips(Path(folder), stored_size=round(resolution * 286 / 256))
            name = f"{preset} at {resolution}"
            for ratio in _of_a_step(preset, clips, resolution, device, flags.repeats):
                yield Ratio(f"{name}: {ratio.name}", ratio.ours, ratio.baseline)
            if flags.train_minutes:
                ratio = trained(preset, flags.clips or clips, resolution, flags.train_minutes, device)
                yield Ratio(f"{name}: {ratio.name}", ratio.ours, ratio.baseline)


def trained(preset: str, clips: str, resolution: int, minutes: float, device: torch.device) -> Ratio:
    """A training as `s2v train` does it: its share of waiting, and what validation says, in print."""
    config = with_settings(load_config(preset), {"data.resolution": resolution, "training.minutes": minutes})
    config = config_for_clips(config, read_dataset(clips).settings)
    with tempfile.TemporaryDirectory() as run:
        open_run(run, config)
        job = job_on(PreparedClips((clips,)), config, run)
        state, _ = run_training(job, config_budget(config), Workers(device=device))
        metrics = (Path(run) / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in metrics.splitlines()]
    scores = [line["validation/score"] for line in lines if "validation/score" in line]
    said = ", ".join(f"{score:.3f}" for score in scores)
    print(f"{state.step} steps in {state.seconds / 60:.1f} minutes; validation scores: {said}")
    waits = [line["speed/waiting_share"] for line in lines if "speed/waiting_share" in line]
    return Ratio("share of a training's time that steps wait for clips", statistics.mean(waits), 1.0)


def _of_a_step(preset: str, clips: str, resolution: int, device: torch.device, repeats: int) -> Iterator[Ratio]:
    settings: dict[str, object] = {"data__resolution": resolution, "training__loader_workers": 0}
    variants: dict[str, dict[str, object]] = {
        "float32": {"training__precision": "float32"},
        "bfloat16": {"training__precision": "bfloat16"},
        "bfloat16, compiled": {"training__precision": "bfloat16", "training__compile": True},
    }
    cases = {name: case(preset, clips, **settings, **more) for name, more in variants.items()}
    plain = cases["float32"]
    (batch,) = plain.batches(1, device)
    steps: dict[str, Callable[[], object]] = {}
    losses: dict[str, dict[str, float]] = {}
    for name, each in cases.items():
        state = new_state(each.config, device)
        start = time.perf_counter()
        losses[name] = {loss: float(value) for loss, value in train_step(state, batch).items() if "loss/" in loss}
        _wait(device)
        print(f"{resolution}, {name}: the first step took {time.perf_counter() - start:.1f} s")
        steps[name] = partial(train_step, state, batch)
    naive = naive_gan(plain.config, device)
    steps["plain PyTorch, float32"] = partial(pix2pix_step, naive, batch)
    sides = [partial(_repeated, step, device) for step in steps.values()]
    seconds = dict(zip(steps, alternate(sides, repeats), strict=True))
    size = plain.config.training.batch_size * _STEPS
    for name in ("bfloat16", "bfloat16, compiled", "plain PyTorch, float32"):
        yield Ratio(f"clips a second, float32, over {name}", size / seconds["float32"], size / seconds[name])
    worst = max(abs(losses["bfloat16"][loss] / value - 1) for loss, value in losses["float32"].items())
    yield Ratio("greatest relative difference of a first loss in bfloat16, over 0.05", worst, 0.05)
    operations = _operations(steps["float32"])
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        done, peak = operations * _STEPS / seconds[name] / 1e9, _product_gflops(device, dtype)
        yield Ratio(f"GFLOP a second of a step in {name}, over those of a large matrix product", done, peak)
    yield waiting("fed by its loader", case(preset, clips, data__resolution=resolution), steps=_STEPS, device=device)
    command = [sys.executable, "-m", "benchmarks.device", preset, clips, str(resolution)]
    alone, together = _rate(command, 1), _rate(command, 2)
    yield Ratio("clips a second of two processes on the device, over one", together, alone)


def _repeated(step: Callable[[], object], device: torch.device) -> None:
    for _ in range(_STEPS):
        step()
    _wait(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _operations(step: Callable[[], object]) -> int:
    """Floating-point operations of a step's products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def _product_gflops(device: torch.device, dtype: torch.dtype) -> float:
    """What a large matrix product reaches: the honest peak of this device in this type."""
    side = 8192 if device.type == "cuda" else 1024
    a = torch.randn(side, side, device=device, dtype=dtype)
    (seconds,) = alternate([partial(_repeated, partial(torch.mm, a, a), device)], 3)
    return 2 * side**3 * _STEPS / seconds / 1e9


def _rate(command: list[str], count: int) -> float:
    """Clips a second of so many processes at once, together."""
    running = [subprocess.Popen(command, cwd=_JOBS, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return sum(float(process.communicate()[0].split()[-1]) for process in running)


def main(preset: str, clips: str, resolution: str) -> None:
    """Train for some steps, and print the clips a second after the first ones."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trained = case(preset, clips, data__resolution=int(resolution), training__loader_workers=0)
    state = new_state(trained.config, device)
    (batch,) = trained.batches(1, device)
    step = partial(train_step, state, batch)
    _repeated(step, device)
    start = time.perf_counter()
    for _ in range(3):
        _repeated(step, device)
    print(3 * _STEPS * trained.config.training.batch_size / (time.perf_counter() - start))


if __name__ == "__main__":
    main(*sys.argv[1:])
