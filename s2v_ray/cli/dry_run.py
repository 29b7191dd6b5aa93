"""`s2v train --dry-run`: what would be trained, and what it costs here."""

import math

import torch
from rich.console import Console

from s2v_ray.cli.run_info import parameter_table
from s2v_ray.config import config_to_toml
from s2v_ray.recipes.step_cost import measure_step
from s2v_ray.recipes.train import TrainJob
from s2v_ray.training.schedule import config_budget

_MIB = 2**20


def print_dry_run(job: TrainJob, clips: str, device: torch.device) -> None:
    """Print the settings, the networks' parameters, and the memory and time of a step. Writes nothing."""
    budget, schedule = config_budget(job.config), job.schedule
    cost = measure_step(job, clips, device)
    print(config_to_toml(job.config))
    Console().print(parameter_table(cost.networks))
    batch_size = job.config.training.batch_size
    print(
        f"A step of {batch_size} of {cost.clips} clips takes {cost.seconds_without:.3g} s without and "
        f"{cost.seconds_with:.3g} s with the discriminators on {device}, {cost.waiting_seconds:.2g} s of it to read "
        f"the clips, and at most {cost.memory_bytes / _MIB:.0f} MiB of memory."
    )
    steps = cost.training_steps(schedule, budget)
    seconds = cost.training_seconds(schedule, steps)
    limit = "" if math.isinf(budget.seconds) else f" of at most {budget.seconds / 60:g} minutes"
    start_seconds = schedule.discriminator_start_seconds
    by_time = "" if start_seconds is None else f" or after {start_seconds / 60:.3g} minutes"
    print(
        f"It would train about {steps} steps{limit}, {steps * batch_size / cost.clips:.3g} epochs, in "
        f"{seconds / 3600:.3g} hours; the discriminators are enabled at step {schedule.discriminator_start_step}"
        f"{by_time}."
    )
