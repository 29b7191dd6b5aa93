"""Which of some files belong to which format."""

from collections.abc import Mapping

from s2v_ray.preparation.sources.layouts import lerobot, tables, tars, video_folder
from s2v_ray.preparation.sources.layouts.found import Found

# The first to claim a file has it: LeRobot's data sets and metadata hold tables, too.
_READERS = (lerobot.read, video_folder.read, tables.read, tars.read)


def read_layouts(files: Mapping[str, str]) -> Found:
    """The videos of data sets in known formats among `files`, which are locations by name.

    Raises StoreError; whatever is wrong with one of them is a reject.
    """
    found, left = Found(), dict(files)
    for read in _READERS:
        part = read(left)
        found.names |= part.names
        found.sources += part.sources
        found.rejects += part.rejects
        left = {name: location for name, location in left.items() if name not in part.names}
    return found
