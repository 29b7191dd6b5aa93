"""Prepared clips, by number: each read costs the bytes of that clip and no more."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from s2v_ray.clips.dataset import read_dataset
from s2v_ray.clips.schema import MEASURES, SCHEMA_VERSION
from s2v_ray.clips.settings import ClipSettings
from s2v_ray.clips.splits import SPLITS
from s2v_ray.config import UserError
from s2v_ray.media.storage import join, list_files, locate

_OPEN_FILES = 64


@dataclass(frozen=True)
class Clip:
    """One clip: `frames_THWC` uint8 RGB, `wave` int16 mono. Both are read-only views of what was read."""

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
    """The clips of some splits of a data set, in the order of their files' names."""

    def __init__(self, clips: str, splits: str | Iterable[str]) -> None:
        self.location = str(clips)
        self.settings: ClipSettings
        self.settings, self.description = read_dataset(clips)
        self._rows: list[tuple[str, int, int]] = []  # file, row group, row in it
        self._sources: list[str] = []
        for split in [splits] if isinstance(splits, str) else splits:
            if split not in SPLITS:
                raise UserError(f"There is no split '{split}'; there are {', '.join(SPLITS)}.")
            for location in _files(clips, split):
                self._add(location)

    def _add(self, location: str) -> None:
        file = _open(location)
        self._sources += file.read(["source"])["source"].to_pylist()
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            self._rows += [(location, group, row) for row in range(rows)]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def sources(self) -> list[str]:
        """The source of each clip."""
        return self._sources

    @property
    def fingerprint(self) -> str:
        """A hash of which clips these are, wherever they lie."""
        names = [f"{location.rpartition('/')[2]} {group} {row}" for location, group, row in self._rows]
        return hashlib.sha256("\n".join([self.settings.fingerprint, *names]).encode()).hexdigest()[:16]

    def __getitem__(self, number: int) -> Clip:
        location, group, row = self._rows[number]
        # One small row: Arrow's threads would cost more than they bring.
        table = _open(location).read_row_group(group, CLIP_COLUMNS, use_threads=False)
        return clip_of_row(table, row, frames=self.settings.frames, stored_size=self.settings.stored_size)


def _files(clips: str, split: str) -> list[str]:
    folder = join(clips, f"split={split}")
    names = list_files(folder)
    return [join(folder, name) for name in names if name.endswith(".parquet") and not name.startswith(".")]


@lru_cache(maxsize=_OPEN_FILES)
def _open(location: str) -> pq.ParquetFile:
    filesystem, path = locate(location)
    try:
        if isinstance(filesystem, fs.LocalFileSystem):
            file = pq.ParquetFile(path, memory_map=True)
        else:
            file = pq.ParquetFile(filesystem.open_input_file(path))
    except pa.ArrowInvalid as error:
        raise UserError(f"{location} is no whole Parquet file ({error}); remove it and prepare it again.") from None
    except OSError as error:
        raise UserError(f"{location} can't be read ({error.strerror or error}).") from None
    version = (file.schema_arrow.metadata or {}).get(b"schema_version", b"none").decode()
    if version != str(SCHEMA_VERSION):
        raise UserError(f"{location} has clip schema {version}, but this s2v reads {SCHEMA_VERSION}; prepare it again.")
    return file


def card_columns(clips: str) -> dict[str, list[float]]:
    """What was measured of each clip of a data set, by the measure's name."""
    columns: dict[str, list[float]] = {name: [] for name in MEASURES}
    for split in SPLITS:
        for location in _files(clips, split):
            for measure, values in _open(location).read(list(MEASURES)).to_pydict().items():
                columns[measure] += values
    return columns


def card_examples(clips: str, count: int = 12) -> list[np.ndarray]:
    """The middle frames, uint8 [S, S, 3], of up to `count` clips that lie evenly over a data set."""
    reader = ClipReader(clips, SPLITS)
    numbers = sorted({len(reader) * place // count for place in range(count)})
    return [reader[number].frames_THWC[reader.settings.frames // 2] for number in numbers if number < len(reader)]
