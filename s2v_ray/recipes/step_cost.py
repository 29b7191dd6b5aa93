"""What a training step costs on this machine, and what a whole training would."""

import itertools
import math
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import torch
from torch.utils.data import default_collate

from s2v_ray.config import Config
from s2v_ray.dataset.reader import Clip, clip_of_row
from s2v_ray.dataset.records import Reject
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import UserError
from s2v_ray.preparation.plan import plan
from s2v_ray.preparation.prepare import source_clips
from s2v_ray.recipes.prepare import domain_of
from s2v_ray.recipes.train import TrainJob
from s2v_ray.training.data.loader import Batch, augmented, to_device
from s2v_ray.training.data.order import Draw
from s2v_ray.training.health import explaining_memory
from s2v_ray.training.schedule import Budget, Schedule
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step


@dataclass(frozen=True)
class StepCost:
    """Seconds of a step without and with the discriminators, of which the wait for its clips; peak memory."""

    seconds_without: float
    seconds_with: float
    waiting_seconds: float
    memory_bytes: int

    def training(self, schedule: Schedule, start: float, budget: Budget) -> tuple[int, float]:
        """How many steps the budget allows, and how many seconds they take; discriminators from `start` on."""
        limits = [start * schedule.steps, budget.steps, budget.seconds / self.seconds_without]
        if schedule.seconds is not None:
            limits.append(start * schedule.seconds / self.seconds_without)
        without = math.ceil(min(limits) - 1e-9)
        left = (budget.seconds - without * self.seconds_without) / self.seconds_with
        steps = int(min(budget.steps, without + left))
        return steps, without * self.seconds_without + (steps - without) * self.seconds_with


@dataclass(frozen=True)
class DecodedClips:
    """Clips of the first of some videos, and how long this process took to decode each."""

    clips: list[Clip]
    seconds_each: float


def decode_some(videos: list[str], run: str, settings: ClipSettings, count: int) -> DecodedClips:
    """Decode videos until there are `count` clips. Writes nothing. Raises UserError if they have none."""
    planned = plan(videos, run, domain_of((videos[0],)), settings, with_scenes=False)
    clips: list[Clip] = []
    rejects: list[Reject] = []
    start = time.perf_counter()
    for task in planned.tasks:
        for row in source_clips(task, rejects):
            table = pa.Table.from_batches([row])
            clips.append(clip_of_row(table, 0, frames=settings.frames, stored_size=settings.stored_size))
        if len(clips) >= count:
            break
    if not clips:
        example = f", such as '{rejects[0].source}': {rejects[0].detail}" if rejects else ""
        raise UserError("no_clips", f"{', '.join(videos)}: no video yielded a clip{example}")
    return DecodedClips(clips, (time.perf_counter() - start) / len(clips))


def batches_of(clips: list[Clip], config: Config, device: torch.device) -> Iterator[Batch]:
    """Batches of these clips, again and again."""
    repeated, size = itertools.cycle(clips), config.training.batch_size
    for step in itertools.count():
        items = [augmented(next(repeated), Draw(0, step, index), config) for index in range(size)]
        yield to_device(default_collate(items), config.data.resolution, device, loss_weight=1.0, epoch=0)


def measure_step(job: TrainJob, batches: Iterator[Batch], device: torch.device) -> StepCost:
    """Make a few steps on the batches. Writes nothing. Raises UserError if memory is out."""
    state = new_state(job.config, device, schedule=job.schedule)

    def timed_step(*, enabled: bool) -> tuple[float, float]:
        """Seconds of the wait for a batch, and of the wait and the step."""
        state.progress = 1.0 if enabled else job.config.loss.generator_start
        start = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - start
        train_step(state, batch)
        peak_memory_bytes(device)  # waits for the device
        return waited, time.perf_counter() - start

    with explaining_memory():
        for enabled in (False, True):  # the first also sets up optimisers and kernels
            timed_step(enabled=enabled)
        _, without = timed_step(enabled=False)
        waited, with_discriminators = timed_step(enabled=True)
    return StepCost(without, with_discriminators, waited, peak_memory_bytes(device))


def peak_memory_bytes(device: torch.device) -> int:
    """The most that was in use at a time: of the GPU, or of this process."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
