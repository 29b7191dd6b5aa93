"""Settings: frozen dataclasses, strict TOML, presets."""

from s2v_ray.config.load import config_from_dict, config_from_toml, config_to_toml, load_config, with_settings
from s2v_ray.config.schema import ClipConfig, Config

__all__ = [
    "ClipConfig",
    "Config",
    "config_from_dict",
    "config_from_toml",
    "config_to_toml",
    "load_config",
    "with_settings",
]
