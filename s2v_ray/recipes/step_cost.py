"""What a training step costs on this machine, and what a whole training would."""

import math
import resource
import time
from dataclasses import dataclass

import torch

from s2v_ray.dataset.collection import Clips
from s2v_ray.recipes.train import TrainJob
from s2v_ray.training.data.loader import training_batches
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


def measure_step(job: TrainJob, reader: Clips, device: torch.device) -> StepCost:
    """Make a few steps on the clips. Writes nothing. Raises UserError if memory is out."""
    state = new_state(job.config, device, schedule=job.schedule)
    batches = training_batches(reader, job.config, device)

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
