"""A run directory: its configuration, written once and kept to, and resuming from its checkpoints."""

import tomllib
from dataclasses import asdict, replace

from s2v_ray.config import Config, config_from_dict, config_to_toml
from s2v_ray.config.load import differing_names, upgraded
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import UserError
from s2v_ray.storage.files import read_bytes, write_bytes
from s2v_ray.storage.paths import Location, join, readable
from s2v_ray.training.checkpoint import load_state
from s2v_ray.training.checkpoint_files import DAMAGED, checkpoints, last_checkpoint
from s2v_ray.training.state import TrainingState

# A resumed run may go further, and be validated, saved and computed otherwise.
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
    "training.parallel_halves",
    "training.compile",
}


def config_for_clips(config: Config, settings: ClipSettings) -> Config:
    """The configuration with what the clips are."""
    return replace(config, clips=settings.clip_config())


def open_run(run: Location, config: Config) -> None:
    """Write the run's `config.toml`; if something was trained already, check first that the settings are the same.

    Raises UserError by name for each that differs, and `not_utf8` for a run whose name TensorBoard can't write to.
    """
    if readable(str(run)) != str(run):
        rule = "TensorBoard can only write where names are; give another --out"
        raise UserError("not_utf8", f"'{readable(str(run))}' is not UTF-8, but {rule}.")
    path = join(run, "config.toml")
    if last_checkpoint(run):
        try:
            values = tomllib.loads(read_bytes(path).decode(errors="replace"))
        except tomllib.TOMLDecodeError as error:
            raise UserError("not_toml", f"{path} is not a TOML file: {error}.") from None
        before = config_from_dict(upgraded(values), where=path)
        names = [name for name in differing_names(asdict(before), asdict(config)) if name not in _FREE]
        if names:
            raise UserError(
                "wrong_settings",
                f"'{run}' was trained with other settings ({', '.join(names)}); "
                f"give the same ones to resume it (--config {path}), or another --out.",
            )
    write_bytes(path, config_to_toml(config).encode())


def resume(state: TrainingState, run: Location, *, skip_damaged: bool = False) -> tuple[str | None, list[str]]:
    """Load the run's last checkpoint, if it has one; returns its location, and why others were skipped.

    Raises UserError for a damaged one (`skip_damaged` takes the latest intact one before it), and if the clips are not
    those of the run so far.
    """
    last = last_checkpoint(run)
    if last is None:
        return None, []
    earlier = [location for location, complete in checkpoints(run).items() if complete and location < last]
    skipped: list[str] = []
    for location in [last, *reversed(earlier)]:
        try:
            load_state(state, location)
            return location, skipped
        except UserError as error:
            if error.code != DAMAGED or not skip_damaged:
                raise
            skipped.append(str(error))
    raise UserError("no_checkpoint", f"'{run}' has no intact checkpoint; give another --out.")
