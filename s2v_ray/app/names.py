"""Names for what lies at paths."""

from collections.abc import Iterable
from pathlib import PurePath

from s2v_ray.storage.paths import base_name, parent


def short_names(locations: Iterable[str]) -> dict[str, str]:
    """Locations by short names that differ: as much of the end of each path as that takes."""
    unique = list(dict.fromkeys(locations))
    names = [base_name(each) for each in unique]
    folders = [parent(each) for each in unique]
    while len(set(names)) < len(names):
        names = [
            str(PurePath(base_name(folder), name)) if names.count(name) > 1 else name
            for name, folder in zip(names, folders, strict=True)
        ]
        folders = [parent(folder) for folder in folders]
    return dict(zip(names, unique, strict=True))
