"""Which of some files belong to which format."""

from collections.abc import Mapping
from dataclasses import replace

from s2v_ray.preparation.sources.layouts import lerobot, tables, tars, video_folder
from s2v_ray.preparation.sources.layouts.found import Found
from s2v_ray.preparation.sources.source import Source

# The first to claim a file has it: LeRobot's data sets and metadata hold tables, too.
_READERS = (lerobot.read, video_folder.read, tables.read, tars.read)
_TELLING = (lerobot.INFO, *video_folder.METADATA, *tables.SUFFIXES, *tars.SUFFIXES)


def may_have_layout(name: str) -> bool:
    """Whether some format has files of this name that say what else is in it."""
    return name.lower().endswith(_TELLING)


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
    return _once(found)


def _once(found: Found) -> Found:
    """What is found, but each video once: with the labels of all rows that name it, in the split of the first."""
    sources: dict[str, Source] = {}
    once = Found(found.names, rejects=found.rejects)
    for source in found.sources:
        first = sources.setdefault(source.name, source)
        if first.split != source.split:
            rule = f"It is named for the splits '{first.split}' and '{source.split}'; the first has it"
            once.reject(source.name, "two_splits", f"{rule}.")
        else:
            sources[source.name] = replace(first, labels=tuple(dict.fromkeys(first.labels + source.labels)))
    once.sources = list(sources.values())
    return once
