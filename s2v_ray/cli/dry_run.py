"""`s2v train --dry-run`: what would be trained, and what a step of it costs here."""

import resource
import time

import torch
from rich.console import Console
from rich.table import Table

from s2v_ray.config import Config, config_to_toml
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.health import naming_memory_settings
from s2v_ray.training.networks import Networks
from s2v_ray.training.state import TrainingState, new_state
from s2v_ray.training.step import train_step

_MIB = 2**20


def dry_run(config: Config, clips: str, device: torch.device) -> None:
    """Print the settings, the networks' parameters, and the memory and time of one step. Writes nothing."""
    reader = ClipReader(clips, "train")
    state = new_state(config, device)
    batches = training_batches(reader, config, device)
    with naming_memory_settings():
        train_step(state, next(batches))  # the first also sets up optimisers and kernels
        begin = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - begin
        train_step(state, batch)
        memory = peak_memory_bytes(device)  # waits for the device
        seconds = time.perf_counter() - begin
    del batches
    print(config_to_toml(config))
    Console().print(parameter_table(state.networks))
    settings = config.training
    print(
        f"A step of {settings.batch_size} of {len(reader)} clips takes {seconds:.3g} s on {device}, {waited:.2g} s of "
        f"it to read them, and at most {memory / _MIB:.0f} MiB of memory."
    )
    epoch_steps = len(reader) / settings.batch_size
    print(f"An epoch is {epoch_steps:.4g} steps or {epoch_steps * seconds / 60:.3g} minutes; {_all(state, seconds)}.")


def peak_memory_bytes(device: torch.device) -> int:
    """The most that was in use at a time: of the GPU, or of this process."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def parameter_table(networks: Networks) -> Table:
    """How many parameters each network has."""
    table = Table("network", "parameters")
    for name, network in networks.items():
        table.add_row(name, f"{sum(parameter.numel() for parameter in network.parameters()):,}")
    return table


def _all(state: TrainingState, seconds: float) -> str:
    settings = state.config.training
    hours = settings.steps * seconds / 3600
    if settings.minutes and settings.minutes / 60 < hours:
        return f"it would train for {settings.minutes:g} minutes, about {60 * settings.minutes / seconds:.0f} steps"
    return f"it would train {settings.steps} steps in {hours:.3g} hours"
