"""What a reader of a format says, and what the formats have in common."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePosixPath

import pyarrow as pa

from s2v_ray.dataset.records import Reject
from s2v_ray.preparation.sources.source import Source

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".ogv", ".ogg"),
    *(".mpg", ".mpeg", ".mpe", ".vob", ".ts", ".mts", ".m2ts", ".mxf", ".rm", ".dv"),
)
# The words that `datasets` of Hugging Face knows, in names of folders and files.
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_ABOUT = ("README.md", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
# What reading broken data raises: no table, no JSON, other types, numbers out of range.
BROKEN = (
    *(pa.ArrowException, OSError, ValueError, LookupError, ArithmeticError),
    *(RecursionError, TypeError, AttributeError),
)
BATCH_ROWS = 64  # of a table at a time: however little it takes in its file, a value may be long
_SHOWN = 120  # characters of a value in an error
_LONGEST_LABEL = 1000  # characters; longer texts describe, and nobody chooses by them


@dataclass
class Found:
    """What a format's reader has found: the files that are its, by name, and what to make of them."""

    names: set[str] = field(default_factory=set)
    sources: list[Source] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, name: str, reason: str, detail: str) -> None:
        """Leave out a source for a reason."""
        self.rejects.append(Reject(name, None, reason, detail))


def split_of(name: str, *, of_shard: bool = False) -> str:
    """The split that folders in a name say, by the words of Hugging Face's `datasets`; "" if they say none.

    With `of_shard`, the file's own name counts, too: "sea-train-000012.tar".
    """
    *folders, file = name.lower().split("/")
    words = folders + (re.split(r"[-._ \d]+", file) if of_shard else [])
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")


def split_named(word: object) -> str:
    """The split of such a word; "" for others."""
    return _SPLITS.get(word.lower(), "") if isinstance(word, str) else ""


def real_splits(sources: Iterable[Source]) -> list[Source]:
    """The sources, without a split if all are in one: these formats call what was never split "train"."""
    sources = list(sources)
    return sources if len({source.split for source in sources}) > 1 else [replace(s, split="") for s in sources]


def folder_labels(name: str) -> tuple[str, ...]:
    """The folders in a name."""
    return _parts(name[: name.rfind("/") + 1])


@lru_cache(maxsize=1000)
def _parts(folder: str) -> tuple[str, ...]:
    return PurePosixPath(folder).parts


def labels_in(value: object) -> tuple[str, ...]:
    """The texts in a value of a table or of JSON: itself, or those of a list; none in anything else, no long ones."""
    values = value if isinstance(value, list) else [value]
    texts = (text.strip() for text in values if isinstance(text, str))
    return tuple(text for text in texts if 0 < len(text) <= _LONGEST_LABEL)


def about(names: Iterable[str], files: Iterable[str]) -> set[str]:
    """Those of `files` that only describe the data set that `names` are of: beside these, or in a folder above."""
    folders = {str(folder) for name in names for folder in PurePosixPath(name).parents}
    return {file for file in files if PurePosixPath(file).name in _ABOUT and str(PurePosixPath(file).parent) in folders}


def shown(value: object) -> str:
    """A value for an error."""
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
