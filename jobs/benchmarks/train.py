"""A training step against naive ones, its own lower bound, Ray Train and a raw read of its clips.

Float32 on CPU cores. Ray Train, torch.compile and the table of costs take longer and have flags of their own.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from benchmarks.measuring import Ratio, alternate
from benchmarks.naive_gan import mocogan_step, naive_gan, pix2pix_step
from benchmarks.train_case import CPU, case, make_clips
from benchmarks.train_feed import feed, waiting
from benchmarks.train_floor import record, replay, spent_by_group
from benchmarks.train_memory import peak_bytes
from benchmarks.train_ray import step_seconds
from benchmarks.train_table import table
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step
from s2v_ray.training.threads import at_most_threads

LOSSES = ("generator", "reconstruction", "image_discriminator", "video_discriminator")
# In float32, and with Adam, which scales up tiny gradients, the order of sums shows within a few steps.
TOLERANCE = 3e-3
# How many steps are timed for each one of `paper`.
MORE_STEPS = {"paper": 1, "tiny": 6}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `benchmark.py train`."""
    parser.add_argument("--clips", help="prepared clips, instead of synthetic ones")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ray", action="store_true", help="only Ray Train against local mode")
    parser.add_argument("--compile", action="store_true", help="only the gain from torch.compile")
    parser.add_argument("--table", action="store_true", help="only the cost of a clip by its size")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """What the flags select; by default naive steps, memory, halves, the lower bound and the loader."""
    torch.set_num_threads(flags.threads)
    with tempfile.TemporaryDirectory() as folder:
        clips = flags.clips or make_clips(Path(folder), stored_size=286 if flags.table else 72)
        clips = str(Path(clips).absolute())
        if flags.table:
            yield from table(clips, flags.repeats)
        elif flags.ray:
            yield from ray(clips, flags.repeats)
        elif flags.compile:
            yield from compiled(clips, flags.repeats)
        else:
            yield from naive(clips)
            yield from memory(clips)
            yield from halves(clips, flags.repeats)
            for preset in MORE_STEPS:
                yield from floor(preset, clips, flags.repeats)
            for preset in MORE_STEPS:
                yield from fed(preset, clips, flags.repeats)


def naive(clips: str, turns: int = 5) -> Iterator[Ratio]:
    """Five steps of each side, alternately, on the same batches: while the losses agree, they do the same work."""
    trained = case("paper", clips, training__loader_workers=0)
    state = new_state(trained.config, CPU)
    sides: dict[str, Callable[[Batch], dict[str, float]]] = {
        "ours": lambda batch: _our_losses(train_step(state, batch)),
        "pix2pix's way": partial(pix2pix_step, naive_gan(trained.config)),
        "MoCoGAN's way": partial(mocogan_step, naive_gan(trained.config)),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    worst = 0.0
    for turn, batch in enumerate(trained.batches(turns), start=1):
        losses = {}
        for side, step in sides.items():
            start = time.perf_counter()
            losses[side] = step(batch)
            seconds[side].append(time.perf_counter() - start)
            text = ", ".join(f"{name} {losses[side][name]:.5f}" for name in LOSSES)
            print(f"step {turn}, {side}, {seconds[side][-1]:.2f} s: {text}", flush=True)
        for name, ours in losses["ours"].items():
            worst = max(worst, *(abs(theirs[name] / ours - 1) for theirs in losses.values()))
    if worst > TOLERANCE:
        raise RuntimeError(f"The losses differ by up to {worst:.2g} of their size: the sides don't do the same work.")
    yield Ratio("paper: largest difference of a loss over five steps, against the tolerance", worst, TOLERANCE)
    # The first step also allocates the optimisers' state.
    size = trained.config.training.batch_size
    rates = {side: size / statistics.median(spent[1:]) for side, spent in seconds.items()}
    for side in list(sides)[1:]:
        yield Ratio(f"paper: clips per second, against {side}", rates["ours"], rates[side])


def _our_losses(metrics: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(metrics[f"loss/{name}"]) for name in LOSSES}


def memory(clips: str) -> Iterator[Ratio]:
    """Peak memory in fresh processes: of the whole process, and of a step beyond weights and moments."""
    ours, theirs = (peak_bytes(side, "paper", clips) for side in ("ours", "pix2pix"))
    for what, our_bytes, their_bytes in zip(
        ("resident memory", "memory of a step's tensors"), ours, theirs, strict=True
    ):
        yield Ratio(f"paper: peak {what} in GB, against pix2pix's way", our_bytes / 1e9, their_bytes / 1e9)


def halves(clips: str, repeats: int) -> Iterator[Ratio]:
    """Steps of `tiny` by two threads, by one, and by two that share each operation."""

    def step_of(threads: int, **settings: object) -> Callable[[], object]:
        trained = case("tiny", clips, training__loader_workers=0, **settings)
        step = partial(train_step, new_state(trained.config, CPU), trained.batches(1)[0])

        def limited() -> None:
            with at_most_threads(threads):
                step()

        return limited

    sides = step_of(1, training__parallel_halves=True), step_of(1), step_of(2)
    ours, one, shared = alternate(sides, repeats * MORE_STEPS["tiny"])
    yield Ratio("tiny: seconds of a step, a half of the batch on each of two threads, over one thread", ours, one)
    yield Ratio("tiny: seconds of a step, two threads that share each operation, over one thread", shared, one)


def floor(preset: str, clips: str, repeats: int) -> Iterator[Ratio]:
    """A step against its convolutions and matrix products alone, and where its time goes."""
    trained = case(preset, clips, training__loader_workers=0)
    state, batch = new_state(trained.config, CPU), trained.batches(1)[0]
    step = partial(train_step, state, batch)
    step()
    calls = record(step)
    ours, alone = alternate([step, partial(replay, calls)], repeats * MORE_STEPS[preset])
    yield Ratio(f"{preset}: seconds of a step, against its floor", ours, alone)
    spent = spent_by_group(step, MORE_STEPS[preset])
    for group, seconds in spent.items():
        yield Ratio(f"{preset}: seconds of a profiled step, {group}", seconds, sum(spent.values()))


def fed(preset: str, clips: str, repeats: int) -> Iterator[Ratio]:
    """The loader during training, and alone."""
    trained = case(preset, clips)
    yield waiting(preset, trained, steps=4 * MORE_STEPS[preset])
    yield from feed(preset, trained, clips, repeats)


def ray(clips: str, repeats: int) -> Iterator[Ratio]:
    """One worker under Ray Train against local mode, each in fresh processes, alternately."""
    for preset, more in MORE_STEPS.items():
        sides = [[step_seconds(side, preset, clips, 4 * more) for side in ("ray", "local")] for _ in range(repeats)]
        ours, local = (statistics.median(spent) for spent in zip(*sides, strict=True))
        yield Ratio(f"{preset}: seconds of a step under Ray Train, against local mode", ours, local)


def compiled(clips: str, repeats: int) -> Iterator[Ratio]:
    """`tiny` with torch.compile against without it, and how long compiling takes."""
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        print("torch.compile needs a C++ compiler, but none was found.")
        return
    sides = []
    for setting in (True, False):
        trained = case("tiny", clips, training__loader_workers=0, training__compile=setting)
        state, batch = new_state(trained.config, CPU), trained.batches(1)[0]
        sides.append(partial(train_step, state, batch))
    start = time.perf_counter()
    sides[0]()
    first = time.perf_counter() - start
    with_compile, without = alternate(sides, repeats * MORE_STEPS["tiny"])
    yield Ratio("tiny: seconds of a step with torch.compile, against without", with_compile, without)
    yield Ratio("tiny: seconds of the first step with torch.compile, against a later one", first, with_compile)
