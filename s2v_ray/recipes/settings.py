"""Where the settings of a training come from."""

from s2v_ray.config import Config, config_from_toml, load_config
from s2v_ray.config.load import PRESETS
from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.paths import is_uri, user_location


def read_config(name: str) -> Config:
    """The settings of a preset, a TOML file or one in an object store. Raises UserError."""
    where = name if name in PRESETS else user_location(name, "--config")
    if not is_uri(where):
        return load_config(where)
    return config_from_toml(read_bytes(where).decode(errors="replace"), where=where)
