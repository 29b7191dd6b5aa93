"""The sources of a data set that a user has excluded: `excluded.json`. Their clips stay, and nothing reads them."""

import json
from collections.abc import Iterable

from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists, read_bytes, remove_file, write_bytes
from s2v_ray.storage.paths import Location, join

_FILE = "excluded.json"


def read_excluded(clips: Location) -> frozenset[str]:
    """The names of the excluded sources. Raises UserError `damaged_clips` if the file can't be read."""
    path = join(clips, _FILE)
    if not exists(path):
        return frozenset()
    try:
        names = json.loads(read_bytes(path))["sources"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"sources is {names!r}")
    except (ValueError, KeyError, TypeError) as error:
        rule = 'must hold {"sources": [names of sources]}'
        raise UserError("damaged_clips", f"'{path}' {rule} ({error!r}); correct it, or remove it.") from None
    return frozenset(names)


def write_excluded(clips: Location, sources: Iterable[str]) -> None:
    """Exclude these sources and no others. Hold the data set's lock meanwhile."""
    names = sorted(set(sources))
    if names:
        write_bytes(join(clips, _FILE), json.dumps({"sources": names}, indent=1, ensure_ascii=False).encode())
    else:
        remove_file(join(clips, _FILE))
