"""`s2v info`."""

from collections.abc import Mapping
from typing import Any

from s2v_ray.errors import UserError


def info(where: str, /) -> None:
    """Tell what a run, a checkpoint or a folder of clips is.

    Args:
        where: what s2v prepare or s2v train wrote, or one checkpoint of a run.
    """
    from s2v_ray.storage.files import exists
    from s2v_ray.storage.paths import join

    if exists(join(where, "dataset.json")):
        _tell_clips(where)
    elif exists(join(where, "manifest.json")) or exists(join(where, "checkpoints")):
        _tell_run(where)
    else:
        raise UserError(f"'{where}' is no clips, no run and no checkpoint; name what s2v prepare or s2v train wrote.")


def _tell_clips(clips: str) -> None:
    from rich.console import Console

    from s2v_ray.cli.prepare import counts_table
    from s2v_ray.dataset.index import read_dataset

    info = read_dataset(clips)
    settings = info.settings
    whole = "" if info.complete else ", whose preparation was stopped: its command goes on"
    print(f"{clips} holds clips of '{info.domain}'{whole}.")
    size = f"{settings.stored_size} x {settings.stored_size} pixels"
    print(
        f"Each has {settings.frames} frames of {size} at {settings.frame_rate} a second, and "
        f"{float(settings.seconds):g} s of sound at {settings.sample_rate} Hz."
    )
    Console().print(counts_table(info))
    _tell_counts("Rejected", info.rejected)


def _tell_run(where: str) -> None:
    from rich.console import Console

    from s2v_ray.cli.dry_run import parameter_table
    from s2v_ray.cli.progress import clock
    from s2v_ray.config import config_to_toml
    from s2v_ray.training.checkpoint import checkpoints, find_checkpoint, load_model
    from s2v_ray.training.networks import build_networks

    found = find_checkpoint(where)
    _, config, described = load_model(found)
    print(config_to_toml(config))
    Console().print(parameter_table(build_networks(config)))
    for location, whole in checkpoints(where).items():
        print(f"{location}{'' if whole else ' (not written to its end)'}{' (this one)' if location == found else ''}")
    print(
        f"{found}: step {described['step']}, {described['clips_seen']:,} clips seen, "
        f"{clock(described['training_seconds'])} of training."
    )
    _tell_counts("Validation", {name: f"{value:.3f}" for name, value in described["metrics"].items()})


def _tell_counts(label: str, counts: Mapping[str, Any]) -> None:
    if counts:
        print(f"{label}: {', '.join(f'{name} {value}' for name, value in counts.items())}.")
