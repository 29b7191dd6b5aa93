"""Prepared clips by index: reading one costs the bytes of that clip and no more."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.dataset.excluded import read_excluded
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.schema import MEASURES, READABLE_VERSIONS, SCHEMA_VERSION
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError
from s2v_ray.storage.cache import ClipCache, cache_folder
from s2v_ray.storage.files import list_versions, map_concurrently, open_file, store_errors
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import Location, base_name, is_uri, join

CACHE_GIB = 10.0
_OPEN_FILES = 64
_MOST_ROWS_PER_BYTE = 1000  # of a footer, which has some hundred bytes for each row group, of a few clips


@dataclass(frozen=True)
class Clip:
    """One clip: `frames_THWC` uint8 RGB [T, S, S, 3], `wave` int16 mono. Both are read-only views of what was read."""

    clip_id: str
    source: str
    start_seconds: float
    frames_THWC: np.ndarray
    wave: np.ndarray


CLIP_COLUMNS = ["clip_id", "source", "start_seconds", "frames", "waveform"]


def clip_of_row(table: pa.Table, row: int, *, frames: int, stored_size: int) -> Clip:
    """A row of the columns CLIP_COLUMNS as a clip."""
    pixels = np.frombuffer(table["frames"][row].as_buffer(), dtype=np.uint8)
    return Clip(
        clip_id=table["clip_id"][row].as_py(),
        source=table["source"][row].as_py(),
        start_seconds=table["start_seconds"][row].as_py(),
        frames_THWC=pixels.reshape(frames, stored_size, stored_size, 3),
        wave=np.frombuffer(table["waveform"][row].as_buffer(), dtype="<i2"),
    )


class ClipReader:
    """The clips of some splits of a data set, in the order of their files' names; several threads may read.

    Those of sources that were excluded when it was opened are none of them, unless `with_excluded`. Up to `cache_gib`
    of clips from an object store are cached on this machine; 0 caches none.
    """

    def __init__(
        self,
        clips: Location,
        splits: str | Iterable[str],
        *,
        cache_gib: float = CACHE_GIB,
        with_excluded: bool = False,
    ) -> None:
        self.location = str(clips)
        self.settings = read_dataset(clips).settings
        self._rows: list[tuple[str, int, int]] = []  # file, row group, row in it
        self.remote = is_uri(clips)  # in an object store, where reading a clip is mostly waiting
        self.sources: list[str] = []  # of each clip
        self._versions: dict[str, str] = {}
        self._cache = ClipCache(cache_folder(), int(cache_gib * 2**30)) if self.remote and cache_gib else None
        for split in [splits] if isinstance(splits, str) else splits:
            if split not in SPLITS:
                raise UserError("unknown_split", f"There is no split '{split}'; there are {', '.join(SPLITS)}.")
            self._versions |= _files(clips, split)
        contents = map_concurrently(_contents, self._versions, remote=self.remote)
        excluded = frozenset() if with_excluded else read_excluded(clips)
        for location, (source, counts) in zip(self._versions, contents, strict=True):
            if source in excluded:
                continue
            self.sources += [source] * sum(counts)
            self._rows += [(location, group, row) for group, count in enumerate(counts) for row in range(count)]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def fingerprint(self) -> str:
        """A hash of which clips these are, independent of where they are stored."""
        names = [f"{base_name(location)} {group} {row}" for location, group, row in self._rows]
        return hashlib.sha256("\n".join([self.settings.fingerprint, *names]).encode()).hexdigest()[:16]

    def __getitem__(self, index: int) -> Clip:
        location, group, row = self._rows[index]
        read = partial(_read_group, location, group)
        name = f"{location} {group} {self._versions[location]}"
        with _clips_of(location):
            table = self._cache.table(name, read) if self._cache else read()
            clip = clip_of_row(table, row, frames=self.settings.frames, stored_size=self.settings.stored_size)
            if len(clip.wave) != self.settings.frames * self.settings.samples_per_frame:
                raise ValueError(f"{len(clip.wave)} samples")
            if not (isinstance(clip.start_seconds, float) and type(clip.clip_id) is type(clip.source) is str):
                raise TypeError(f"a clip '{clip.clip_id}' of '{clip.source}' at {clip.start_seconds}")
        return clip


def _files(clips: Location, split: str) -> dict[str, str]:
    """The Parquet files of a split, each with a text that changes when the file does."""
    folder = join(clips, f"split={split}")
    return {
        join(folder, name): version
        for name, version in list_versions(folder).items()
        if name.endswith(".parquet") and not name.startswith(".")
    }


def _contents(location: str) -> tuple[str, list[int]]:
    """The source that all clips of a file are from, and the number of clips in each row group."""
    file = _open(location)
    with _clips_of(location):
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        if sum(counts) > file.metadata.serialized_size * _MOST_ROWS_PER_BYTE:
            raise ValueError(f"{sum(counts)} rows")
        source = file.read_row_group(0, ["source"], use_threads=False)["source"][0].as_py() if any(counts) else ""
        if not isinstance(source, str):
            raise TypeError(f"source is {source!r}")
    return source, counts


@contextlib.contextmanager
def _clips_of(location: str) -> Iterator[None]:
    """Raise UserError `damaged_clips` for what is found only when a file is read: other columns, types and sizes."""
    try:
        with store_errors(location):
            yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        detail = f"'{location}' does not hold the clips that its data set describes ({error})"
        raise UserError("damaged_clips", f"{detail}; remove it and prepare it again.") from None


def _read_group(location: str, group: int) -> pa.Table:
    # For one small row, Arrow's threads would cost more than they save.
    return _open(location).read_row_group(group, CLIP_COLUMNS, use_threads=False)


def _open(location: str) -> pq.ParquetFile:
    """A reader of its own for each call; the file underneath stays open between calls."""
    file, metadata = _open_once(location)
    return pq.ParquetFile(file, metadata=metadata, pre_buffer=is_uri(location))


@lru_cache(maxsize=_OPEN_FILES)
def _open_once(location: str) -> tuple[pa.NativeFile, pq.FileMetaData]:
    try:
        with store_errors(location):
            file = open_file(location)
            whole = pq.ParquetFile(file)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        detail = f"'{location}' is not a complete Parquet file ({error})"
        raise UserError("damaged_clips", f"{detail}; remove it and prepare it again.") from None
    except OSError as error:
        raise UserError("unreadable", f"'{location}' can't be read: {reason(error)}.") from None
    version = (whole.schema_arrow.metadata or {}).get(b"schema_version", b"none").decode()
    if version not in map(str, READABLE_VERSIONS):
        rule = f"has schema version {version}, but must have {SCHEMA_VERSION}; prepare it again."
        raise UserError("wrong_version", f"'{location}' {rule}")
    return file, whole.metadata


def _read_measures(location: str) -> pa.Table:
    with _clips_of(location):
        return _open(location).read(list(MEASURES)).select(list(MEASURES))


def card_columns(clips: str) -> dict[str, list[float]]:
    """The measures of all clips of a data set that are not excluded, by the measure's name."""
    files = [file for split in SPLITS for file in _files(clips, split)]
    if excluded := read_excluded(clips):
        sources = map_concurrently(_contents, files, remote=is_uri(clips))
        files = [file for file, (source, _) in zip(files, sources, strict=True) if source not in excluded]
    tables = map_concurrently(_read_measures, files, remote=is_uri(clips))
    return {name: [value for table in tables for value in table[name].to_pylist()] for name in MEASURES}


def card_examples(clips: str, count: int = 12) -> list[np.ndarray]:
    """The middle frames, uint8 [S, S, 3], of up to `count` clips, evenly spaced over a data set."""
    reader = ClipReader(clips, SPLITS)
    indices = sorted({len(reader) * example // count for example in range(count)}) if len(reader) else []
    return [reader[index].frames_THWC[reader.settings.frames // 2] for index in indices]
