"""What `s2v info` prints of a run or a checkpoint."""

from rich.console import Console
from rich.table import Table

from s2v_ray.cli.progress import format_duration
from s2v_ray.config import config_to_toml
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import checkpoints, find_checkpoint
from s2v_ray.training.networks import Networks, build_networks


def print_run(where: str) -> None:
    """Print the settings, the networks and the checkpoints of a run, or of one checkpoint. Raises UserError."""
    checkpoint = find_checkpoint(where)
    _, config, state = load_model(checkpoint)
    print(config_to_toml(config))
    Console().print(parameter_table(build_networks(config)))
    for location, complete in checkpoints(where).items():
        print(f"{location}{'' if complete else ' (incomplete)'}{' (this one)' if location == checkpoint else ''}")
    print(
        f"{checkpoint}: step {state['step']}, {state['clips_seen']:,} clips seen, "
        f"{format_duration(state['training_seconds'])} of training."
    )
    if state["metrics"]:
        print(f"Validation: {', '.join(f'{name} {value:.3f}' for name, value in state['metrics'].items())}.")


def parameter_table(networks: Networks) -> Table:
    """How many parameters each network has."""
    table = Table("network", "parameters")
    for name, network in networks.items():
        table.add_row(name, f"{sum(parameter.numel() for parameter in network.parameters()):,}")
    return table
