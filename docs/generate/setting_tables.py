"""A table of each section of the settings, made of config/schema.py and the presets."""

from dataclasses import Field, fields
from typing import Any, Literal, get_args, get_origin

from s2v_ray.config import Config, load_config
from s2v_ray.config.load import bounds

_PRESETS = ("paper", "stable", "tiny", "small", "large")


def setting_tables() -> str:
    """Markdown: name, meaning and range, and the value in each preset."""
    configs = [load_config(name) for name in _PRESETS]
    parts = []
    for section in fields(Config):
        values = [getattr(config, section.name) for config in configs]
        rows = [f"| setting | meaning | {' | '.join(_PRESETS)} |", "|---" * (2 + len(_PRESETS)) + "|"]
        for each in fields(values[0]):
            cells = [f"`{each.name}`", "; ".join(filter(None, [each.metadata["meaning"], _range(each)]))]
            cells += [_text(getattr(value, each.name)) for value in values]
            rows.append(f"| {' | '.join(cells)} |")
        parts.append(f"## {section.name}\n\n{type(values[0]).__doc__}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def _range(setting: Field[Any]) -> str:
    kind: Any = setting.type
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    return "`true`, `false`" if kind is bool else bounds(setting)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
