"""Several data sets as one: what --clips names, opened and read like a single one."""

import fnmatch
import glob
import hashlib
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import accumulate
from typing import Protocol

from s2v_ray.config.load import differing_names
from s2v_ray.dataset.clip_index import ClipSources
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import CACHE_GIB, Clip, ClipReader
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists, list_folders
from s2v_ray.storage.paths import base_name, is_uri, join, parent

DataSets = str | tuple[str, ...]  # where one or several are


class Clips(Protocol):
    """Clips by index, of one data set (`ClipReader`) or of several (`ClipCollection`)."""

    @property
    def location(self) -> str:
        """Where they are, for messages."""

    @property
    def settings(self) -> ClipSettings:
        """What all have in common; how they were cut is that of the first data set."""

    @property
    def sources(self) -> Sequence[str]:
        """The source of each clip; those of different data sets differ."""

    @property
    def counts(self) -> tuple[int, ...]:
        """How many clips each data set has."""

    @property
    def remote(self) -> bool:
        """Whether reading one is mostly waiting for an object store."""

    @property
    def fingerprint(self) -> str:
        """A hash of which clips these are, independent of where they are stored."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int) -> Clip:
        """One clip, read when it is asked for."""

    def __iter__(self) -> Iterator[Clip]:
        """Each, in turn."""


class ClipCollection:
    """The clips of several data sets, one after the other; several threads may read.

    Sources are called NAME/SOURCE by the data set's name, and clips NUMBER:ID by its number: files of the same name in
    two data sets are two sources.
    """

    def __init__(self, readers: Sequence[ClipReader]) -> None:
        self._readers = readers
        self.location = places([reader.location for reader in readers])
        self.settings = readers[0].settings
        self.remote = any(reader.remote for reader in readers)
        self.counts = tuple(len(reader) for reader in readers)
        self._ends = list(accumulate(self.counts))
        self._names = data_set_names([reader.location for reader in readers])

    @property
    def sources(self) -> Sequence[str]:
        """The source of each clip."""
        return ClipSources(len(self), self._source, self._each_source)

    def _source(self, index: int) -> str:
        number, own = self._own(index)
        return f"{self._names[number]}/{self._readers[number].sources[own]}"

    def _each_source(self) -> Iterator[str]:
        for name, reader in zip(self._names, self._readers, strict=True):
            for source in reader.sources:
                yield f"{name}/{source}"

    def _own(self, index: int) -> tuple[int, int]:
        """The number of the data set that has a clip, and its index there."""
        number = bisect_right(self._ends, index)
        return number, index - self._ends[number] + self.counts[number]

    def __len__(self) -> int:
        return self._ends[-1]

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    @property
    def fingerprint(self) -> str:
        """A hash of which clips these are, in which order, independent of where they are stored."""
        return hashlib.sha256("\n".join(reader.fingerprint for reader in self._readers).encode()).hexdigest()[:16]

    def __getitem__(self, index: int) -> Clip:
        number, own = self._own(index)
        clip = self._readers[number][own]
        return replace(clip, clip_id=f"{number}:{clip.clip_id}", source=f"{self._names[number]}/{clip.source}")


def find_data_sets(given: Sequence[str]) -> tuple[str, ...]:
    """The data sets that --clips names, paths or URIs; a glob means those among the folders that match, sorted.

    Raises UserError if nothing matches, and for a data set that is named twice.
    """
    found: list[str] = []
    for location in given:
        found += _matching(location) if glob.has_magic(base_name(location)) and not exists(location) else [location]
    if not found:
        raise UserError("missing_flag", "--clips is needed; name what s2v prepare wrote.")
    same = Counter(location if is_uri(location) else os.path.realpath(location) for location in found)
    if twice := [location for location, count in same.items() if count > 1]:
        raise UserError("repeated_name", f"--clips names '{twice[0]}' twice; name it once (--clip-weights weighs it).")
    return tuple(found)


def _matching(pattern: str) -> list[str]:
    folder, name = parent(pattern), base_name(pattern)
    matches = [join(folder, each) for each in list_folders(folder) if fnmatch.fnmatchcase(each, name)]
    if data_sets := [match for match in matches if exists(join(match, "dataset.json"))]:
        return data_sets
    rule = "but no folder that matches holds clips; name what s2v prepare wrote"
    raise UserError("no_clips", f"--clips is '{pattern}', {rule}.")


def locations(clips: DataSets) -> tuple[str, ...]:
    """Where each data set is."""
    return clips if isinstance(clips, tuple) else (clips,)


def places(clips: DataSets | Sequence[str]) -> str:
    """Where they are, for messages and reports."""
    return clips if isinstance(clips, str) else ", ".join(clips)


def data_set_names(given: Sequence[str]) -> list[str]:
    """A name for each: that of its folder, or its whole location where several folders have the same."""
    names = Counter(base_name(location) for location in given)
    return [name if names[name := base_name(location)] == 1 else location for location in given]


def common_settings(clips: DataSets) -> ClipSettings:
    """What all clips are. Raises UserError for data sets whose rates, frames or stored sizes differ."""
    first, *others = locations(clips)
    settings = read_dataset(first).settings
    ours = asdict(settings.clip_config())
    for other in others:
        theirs = asdict(read_dataset(other).settings.clip_config())
        if names := differing_names(ours, theirs):
            differences = ", ".join(f"{name} {ours[name]} and {theirs[name]}" for name in names)
            rule = "prepare them with the same to use them together"
            raise UserError("wrong_settings", f"The clips in '{first}' and '{other}' differ ({differences}); {rule}.")
    return settings


def open_clips(clips: DataSets, splits: str | Iterable[str], *, cache_gib: float = CACHE_GIB) -> Clips:
    """The clips of some splits, of one data set or of several that fit each other: see `common_settings`."""
    splits = [splits] if isinstance(splits, str) else list(splits)
    found = locations(clips)
    if len(found) > 1:
        common_settings(clips)
    readers = [ClipReader(location, splits, cache_gib=cache_gib) for location in found]
    return ClipCollection(readers) if len(readers) > 1 else readers[0]
