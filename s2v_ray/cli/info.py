"""`s2v info`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from s2v_ray.cli.dataset_text import counts_table
from s2v_ray.cli.flags import Location
from s2v_ray.cli.progress import format_duration
from s2v_ray.config import config_to_toml
from s2v_ray.dataset.index import read_dataset
from s2v_ray.errors import UserError
from s2v_ray.storage.archive import is_archive
from s2v_ray.storage.files import exists
from s2v_ray.storage.paths import join

if TYPE_CHECKING:
    from s2v_ray.training.networks import Networks


def info(where: Location, /) -> None:
    """Describe a run, a checkpoint or a folder of clips.

    Args:
        where: what s2v prepare, s2v train or s2v export wrote, a .zip of the latter, or one checkpoint of a run.
    """
    if exists(join(where, "dataset.json")):
        _print_clips(where)
    elif is_archive(where) or exists(join(where, "manifest.json")) or exists(join(where, "checkpoints")):
        _print_run(where)
    else:
        raise UserError("unknown_content", f"'{where}' is not what s2v prepare or s2v train wrote; name another.")


def _print_clips(clips: str) -> None:
    described = read_dataset(clips)
    settings = described.settings
    incomplete = "" if described.complete else ", incomplete: the same s2v prepare command resumes"
    print(f"{clips} holds clips of '{described.domain}'{incomplete}.")
    print(
        f"Each has {settings.frames} frames of {settings.stored_size} x {settings.stored_size} pixels at "
        f"{settings.frame_rate} per second, and {float(settings.seconds):g} s of sound at {settings.sample_rate} Hz."
    )
    Console().print(counts_table(described))
    if described.split_counts["val"].clips or described.split_counts["test"].clips:
        print(f"Split by {described.split_by}: val and test hold {described.held_out}.")
    if described.excluded.sources:
        excluded = described.excluded
        counts = f"sources {excluded.sources:,}, clips {excluded.clips:,}"
        print(f"Excluded by hand: {counts}; {join(clips, 'excluded.json')} names them.")
    if described.rejected:
        print(f"Rejected: {', '.join(f'{reason} {count}' for reason, count in described.rejected.items())}.")


def _print_run(where: str) -> None:
    import torch

    from s2v_ray.training.checkpoint import load_model
    from s2v_ray.training.checkpoint_files import checkpoints, find_checkpoint
    from s2v_ray.training.networks import build_networks

    checkpoint = find_checkpoint(where)
    _, config, state = load_model(checkpoint)
    print(config_to_toml(config))
    with torch.device("meta"):  # they are only counted
        networks = build_networks(config)
    Console().print(parameter_table(networks))
    for location, complete in ({} if is_archive(where) else checkpoints(where)).items():
        print(f"{location}{'' if complete else ' (incomplete)'}{' (this one)' if location == checkpoint else ''}")
    print(
        f"{checkpoint}: step {state['step']}, {state['clips_seen']:,} clips seen, "
        f"{format_duration(state['training_seconds'])} of training."
    )
    if state["metrics"]:
        print(f"Validation: {', '.join(f'{name} {value:.3f}' for name, value in state['metrics'].items())}.")
    elif (state.get("unscored") or {}).get("step") == state["step"]:
        print(f"Validation went on beside the training: see step {state['step']} in metrics.jsonl of its run.")


def parameter_table(networks: Networks) -> Table:
    """How many parameters each network has."""
    table = Table("network", "parameters")
    for name, network in networks.items():
        table.add_row(name, f"{sum(parameter.numel() for parameter in network.parameters()):,}")
    return table
