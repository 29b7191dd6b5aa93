"""`s2v train --dry-run`: what would be trained, and what it costs here."""

import math

import torch
from rich.console import Console

from s2v_ray.cli.info import parameter_table
from s2v_ray.config import config_to_toml
from s2v_ray.dataset.collection import DataSets, open_clips
from s2v_ray.recipes.step_cost import measure_step
from s2v_ray.recipes.train import TrainJob
from s2v_ray.training.networks import build_networks
from s2v_ray.training.schedule import config_budget


def print_dry_run(job: TrainJob, clips: DataSets, device: torch.device) -> None:
    """Print the settings, the networks' parameters, and the memory and time of a step. Writes nothing."""
    budget, schedule, batch_size = config_budget(job.config), job.schedule, job.config.training.batch_size
    reader = open_clips(clips, "train")
    cost = measure_step(job, reader, device)
    print(config_to_toml(job.config))
    Console().print(parameter_table(build_networks(job.config)))
    print(
        f"A step of {batch_size} of {len(reader)} clips takes {cost.seconds_without:.3g} s without and "
        f"{cost.seconds_with:.3g} s with the discriminators on {device}, {cost.waiting_seconds:.2g} s of it to read "
        f"the clips, and at most {cost.memory_bytes / 2**20:.0f} MiB of memory."
    )
    start = max(job.config.loss.discriminator_start, job.config.loss.generator_start)
    steps, seconds = cost.training(schedule, start, budget)
    limit = "" if math.isinf(budget.seconds) else f" of at most {budget.seconds / 60:g} minutes"
    by_time = "" if schedule.seconds is None else f" or after {start * schedule.seconds / 60:.3g} minutes"
    start_step = math.ceil(start * schedule.steps - 1e-9)
    print(
        f"It would train about {steps} steps{limit}, {steps * batch_size / len(reader):.3g} epochs, in "
        f"{seconds / 3600:.3g} hours; the discriminators are enabled at step {start_step}"
        f"{by_time}."
    )
