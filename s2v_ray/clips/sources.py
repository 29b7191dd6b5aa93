"""Which files to prepare, and what each is called in the data set."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from s2v_ray.config import UserError
from s2v_ray.media.storage import is_uri


@dataclass(frozen=True)
class Source:
    """A file to cut clips from. `name` is its path relative to the root it was found under."""

    path: str
    name: str

    @property
    def key(self) -> str:
        """A file name for what is made of it: readable, and unique by a hash of `name`."""
        readable = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(self.name).stem)[:60]
        return f"{readable}-{hashlib.sha256(self.name.encode()).hexdigest()[:10]}"

    def version(self) -> list[int]:
        """Size and time of change, by which a file that was replaced is known."""
        status = Path(self.path).stat()
        return [status.st_size, status.st_mtime_ns]


def find_sources(locations: list[str]) -> list[Source]:
    """All files in the given folders (recursively, hidden ones left out) and all given files, sorted by name.

    Names are relative to the folder, or to what all the locations have in common where there are several.
    Raises UserError for a location that does not exist and where nothing is found.
    """
    for location in locations:
        if is_uri(location):
            raise UserError(f"--videos '{location}' is a URI; videos are read from local or mounted folders only.")
        if not Path(location).exists():
            raise UserError(f"--videos '{location}' does not exist; give a folder of videos, or video files.")
    roots = [Path(location).absolute() for location in locations]
    common = Path(os.path.commonpath([root if root.is_dir() else root.parent for root in roots]))
    files = {file for root in roots for file in _files(root)}
    if not files:
        raise UserError(f"No files in {', '.join(map(repr, locations))}; give a folder that holds videos.")
    return sorted((Source(str(file), file.relative_to(common).as_posix()) for file in files), key=lambda s: s.name)


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]
