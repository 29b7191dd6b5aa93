"""`s2v train --dry-run`: what would be trained, and what it costs here."""

import math

import torch

from s2v_ray.cli.info import parameter_table
from s2v_ray.cli.result import Result
from s2v_ray.cli.terminal import console
from s2v_ray.config import config_to_toml
from s2v_ray.dataset.collection import DataSets, open_clips
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.recipes.step_cost import StepCost, batches_of, decode_some, measure_step
from s2v_ray.recipes.train import TrainJob
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.networks import build_networks
from s2v_ray.training.schedule import config_budget


def print_dry_run(job: TrainJob, clips: DataSets, device: torch.device) -> Result:
    """Print the settings, the networks' parameters, and the memory and time of a step. Writes nothing."""
    reader = open_clips(clips, "train")
    cost = measure_step(job, training_batches(reader, job.config, device), device)
    return _print_cost(job, cost, device, clips=len(reader))


def print_dry_run_on_videos(job: TrainJob, videos: list[str], settings: ClipSettings, device: torch.device) -> Result:
    """The same for videos, of which it decodes a batch of clips, and how many CPUs would decode fast enough."""
    batch_size = job.config.training.batch_size
    some = decode_some(videos, job.run, settings, batch_size)
    cost = measure_step(job, batches_of(some.clips, job.config, device), device)
    result = _print_cost(job, cost, device, clips=None)
    seconds = min(cost.seconds_without, cost.seconds_with)
    cpus = math.ceil(some.seconds_each * batch_size / seconds)
    print(
        f"Decoding a clip takes {some.seconds_each:.3g} s on a CPU: a worker that makes such steps alone needs "
        f"{cpus} CPUs beside it that decode."
    )
    return result | {"decoding_seconds": some.seconds_each, "decoding_cpus": cpus}


def _print_cost(job: TrainJob, cost: StepCost, device: torch.device, *, clips: int | None) -> Result:
    """Print the settings, the networks and what a training costs; `clips` is how many there are, if that is known."""
    budget, schedule, batch_size = config_budget(job.config), job.schedule, job.config.training.batch_size
    print(config_to_toml(job.config))
    console().print(parameter_table(build_networks(job.config)))
    print(
        f"A step of {batch_size} {f'of {clips} ' if clips else ''}clips takes {cost.seconds_without:.3g} s without and "
        f"{cost.seconds_with:.3g} s with the discriminators on {device}, {cost.waiting_seconds:.2g} s of it to read "
        f"the clips, and at most {cost.memory_bytes / 2**20:.0f} MiB of memory."
    )
    start = max(job.config.loss.discriminator_start, job.config.loss.generator_start)
    steps, seconds = cost.training(schedule, start, budget)
    limit = "" if math.isinf(budget.seconds) else f" of at most {budget.seconds / 60:g} minutes"
    by_time = "" if schedule.seconds is None else f" or after {start * schedule.seconds / 60:.3g} minutes"
    start_step = math.ceil(start * schedule.steps - 1e-9)
    print(
        f"It would train about {steps} steps{limit}, {f'{steps * batch_size / clips:.3g} epochs, ' if clips else ''}in "
        f"{seconds / 3600:.3g} hours; the discriminators are enabled at step {start_step}"
        f"{by_time}."
    )
    return {
        "device": str(device),
        "step_seconds": cost.seconds_without,
        "step_seconds_with_discriminators": cost.seconds_with,
        "waiting_seconds": cost.waiting_seconds,
        "memory_bytes": cost.memory_bytes,
        "steps": steps,
        "training_seconds": seconds,
        "discriminator_start_step": start_step,
    }
