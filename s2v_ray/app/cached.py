"""Files that the page shows, where gradio may serve them from: below its folder of uploads."""

import os
import tempfile
from pathlib import Path, PurePath

from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.paths import Location, base_name

_MOST_BYTES = 200  # of a name without its suffix; file systems take 255 with it


def new_file(folder: str, name: str) -> Path:
    """A path for a file of this name in a new folder below `folder`; what no name may have is left out."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    plain = PurePath(name.replace("/", "_"))
    stem = os.fsencode(plain.stem)[:_MOST_BYTES].decode(errors="ignore")
    return Path(tempfile.mkdtemp(dir=folder)) / f"{stem}{plain.suffix}"


def copied(location: Location, folder: str) -> str:
    """The path of a copy of a file, which may lie in an object store."""
    path = new_file(folder, base_name(location))
    path.write_bytes(read_bytes(location))
    return str(path)
