"""What a program passes, as the packages below take it: locations, settings, and whose words an error uses."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

from s2v_ray.config import Config, with_settings
from s2v_ray.dataset.collection import find_data_sets
from s2v_ray.errors import UserError, in_names
from s2v_ray.recipes.settings import read_config
from s2v_ray.storage.paths import user_location
from s2v_ray.tracking.tracker import MLFLOW, TENSORBOARD, WANDB, tracker_names

Path = str | PathLike[str]  # a local path, or the URI of an object store
Paths = Path | Sequence[Path]


@contextmanager
def naming_arguments() -> Iterator[None]:
    """Let a UserError name arguments (`max_side`) where it names the command's flags (`--max-side`)."""
    try:
        yield
    except UserError as error:
        error.message = in_names(error.message)
        error.args = (error.message,)
        raise


def location(path: Path, flag: str) -> str:
    """A path or URI as it means the same everywhere. Raises UserError, which names the flag."""
    return user_location(str(path), flag)


def locations(paths: Paths, flag: str) -> tuple[str, ...]:
    """One or several."""
    several = [paths] if isinstance(paths, str | PathLike) else paths
    return tuple(location(path, flag) for path in several)


def data_sets(clips: Paths, flag: str = "--clips") -> tuple[str, ...]:
    """The data sets that paths, globs and URIs name. Raises UserError if there are none."""
    return find_data_sets(locations(clips, flag))


def trackers(track: str | Sequence[str], known: Sequence[str] = (TENSORBOARD, WANDB, MLFLOW)) -> tuple[str, ...]:
    """The trackers that `track` names. Raises UserError for one that isn't known."""
    try:
        return tracker_names([track] if isinstance(track, str) else track, known)
    except ValueError as error:
        raise UserError("wrong_value", f"--track: {error}") from None


def resolved_config(config: str | PathLike[str] | Config, settings: Mapping[str, object]) -> Config:
    """A preset, a TOML file or a configuration, with settings by their dotted names. Raises UserError."""
    found = config if isinstance(config, Config) else read_config(str(config))
    for name in settings:
        if name.startswith("clips."):
            rule = "can't be set: the clips are as they were prepared; prepare others."
            raise UserError("clips_are_fixed", f"{name} {rule}")
    values: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    return with_settings(found, values)
