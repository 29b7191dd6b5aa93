"""Files that the page shows, where gradio may serve them from: below its folder of uploads."""

import tempfile
from pathlib import Path

from s2v_ray.storage.files import read_bytes
from s2v_ray.storage.paths import Location, base_name


def new_file(folder: str, name: str) -> Path:
    """A path for a file of this name in a new folder below `folder`; characters that no file has are left out."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder)) / name.replace("/", "_")


def copied(location: Location, folder: str) -> str:
    """The path of a copy of a file, which may lie in an object store."""
    path = new_file(folder, base_name(location))
    path.write_bytes(read_bytes(location))
    return str(path)
