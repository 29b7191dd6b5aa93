"""A run directory: its configuration, written once and kept to."""

from dataclasses import asdict, replace

from s2v_ray.config import Config, config_from_toml, config_to_toml
from s2v_ray.config.load import differing_names
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import UserError
from s2v_ray.storage.files import read_bytes, write_bytes
from s2v_ray.storage.paths import Location, join
from s2v_ray.training.checkpoint import last_checkpoint

# A resumed run may go further, and be watched and saved at another pace.
_FREE = {
    "training.steps",
    "training.minutes",
    "training.save_every_steps",
    "training.keep_checkpoints",
    "training.validate_every_steps",
    "training.validate_clips",
    "training.loader_workers",
    "training.clip_cache_gib",
    "training.micro_batches",
    "training.frames_per_chunk",
    "training.collapse_steps",
    "training.threads",
    "training.compile",
}


def config_for_clips(config: Config, settings: ClipSettings) -> Config:
    """The configuration with what the clips are."""
    return replace(config, clips=settings.clip_config())


def open_run(run: Location, config: Config) -> None:
    """Write the run's `config.toml`; where something was trained already, see first that the settings are the same.

    Raises UserError by name for each that differs.
    """
    path = join(run, "config.toml")
    if last_checkpoint(run):
        written = config_from_toml(read_bytes(path).decode(errors="replace"), where=path)
        names = [name for name in differing_names(asdict(written), asdict(config)) if name not in _FREE]
        if names:
            raise UserError(
                f"'{run}' was trained with other settings ({', '.join(names)}); "
                "give the same ones to go on with it, or another --out."
            )
    write_bytes(path, config_to_toml(config).encode())
