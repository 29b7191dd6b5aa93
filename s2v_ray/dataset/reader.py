"""Prepared clips by index: reading one costs the bytes of that clip and no more."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from s2v_ray.dataset.clip_files import clip_files, damaged_clips, file_contents, open_clips
from s2v_ray.dataset.clip_index import ClipPlace, ClipSources, open_index
from s2v_ray.dataset.excluded import read_excluded
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.schema import MEASURES, clip_schema
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError
from s2v_ray.storage.cache import ClipCache, cache_folder
from s2v_ray.storage.files import map_concurrently
from s2v_ray.storage.paths import Location, is_uri, join

CACHE_GIB = 10.0


@dataclass(frozen=True)
class Clip:
    """One clip: `frames_THWC` uint8 RGB [T, S, S, 3], `wave` int16 mono. Both are read-only views of what was read."""

    clip_id: str
    source: str
    start_seconds: float
    frames_THWC: np.ndarray
    wave: np.ndarray


CLIP_COLUMNS = ["clip_id", "source", "start_seconds", "frames", "waveform"]
_NUMBERS = pa.schema({name: pa.float64() for name in MEASURES})
_AT_ONCE = 1000  # files whose numbers are tables before they are joined


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
        info = read_dataset(clips)
        self.settings = info.settings
        self.remote = is_uri(clips)  # in an object store, where reading a clip is mostly waiting
        self._cache = ClipCache(cache_folder(), int(cache_gib * 2**30)) if self.remote and cache_gib else None
        chosen = [splits] if isinstance(splits, str) else list(splits)
        for split in chosen:
            if split not in SPLITS:
                raise UserError("unknown_split", f"There is no split '{split}'; there are {', '.join(SPLITS)}.")
        excluded = frozenset() if with_excluded else read_excluded(clips)
        self._index = open_index(clips, info.clip_index if info.complete else "", chosen, excluded=excluded)

    def __len__(self) -> int:
        return len(self._index)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    @property
    def sources(self) -> Sequence[str]:
        """The source of each clip."""
        return ClipSources(len(self), self._index.source, self._index.sources)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many clips each data set has; this is one."""
        return (len(self),)

    @property
    def fingerprint(self) -> str:
        """A hash of which clips these are, independent of where they are stored."""
        return self._index.digest(self.settings.fingerprint)

    def __getitem__(self, index: int) -> Clip:
        place = self._index.place(index)
        location = join(self.location, f"split={place.split}", place.file)
        read = partial(_read_group, location, place.group)
        name = f"{location} {place.group} {place.version}"
        with damaged_clips(location):
            return self._checked(self._cache.table(name, read) if self._cache else read(), place)

    def row(self, index: int) -> pa.Table:
        """A clip with all the columns that it has, as a table of one row: for other formats."""
        place = self._index.place(index)
        location = join(self.location, f"split={place.split}", place.file)
        with damaged_clips(location):
            table = open_clips(location).read_row_group(place.group, use_threads=False)
            self._checked(table, place)
            known = clip_schema(self.settings)
            columns = [name for name in known.names if name in table.column_names]
            version = {b"schema_version": table.schema.metadata[b"schema_version"]}
            schema = pa.schema([known.field(name) for name in columns], metadata={**known.metadata, **version})
            return table.slice(place.row, 1).select(columns).cast(schema)

    def _checked(self, table: pa.Table, place: ClipPlace) -> Clip:
        """The clip at a place in the table of its row group; raises ValueError or TypeError where it is damaged."""
        clip = clip_of_row(table, place.row, frames=self.settings.frames, stored_size=self.settings.stored_size)
        if len(clip.wave) != self.settings.frames * self.settings.samples_per_frame:
            raise ValueError(f"{len(clip.wave)} samples")
        if not (isinstance(clip.start_seconds, float) and type(clip.clip_id) is type(clip.source) is str):
            raise TypeError(f"a clip '{clip.clip_id}' of '{clip.source}' at {clip.start_seconds}")
        if clip.source != place.source:
            raise ValueError(f"a clip of '{clip.source}' among those of '{place.source}'")
        return clip


def _read_group(location: str, group: int) -> pa.Table:
    # For one small row, Arrow's threads would cost more than they save.
    return open_clips(location).read_row_group(group, CLIP_COLUMNS, use_threads=False)


def _read_measures(location: str) -> pa.Table:
    with damaged_clips(location):
        return open_clips(location).read(list(MEASURES)).select(list(MEASURES)).cast(_NUMBERS)


def card_columns(clips: str) -> dict[str, np.ndarray]:
    """The measures of all clips of a data set that are not excluded, by the measure's name."""
    files = [join(clips, f"split={split}", name) for split in SPLITS for name in clip_files(clips, split)]
    if excluded := read_excluded(clips):
        contents = map_concurrently(file_contents, files, remote=is_uri(clips))
        files = [file for file, (source, _) in zip(files, contents, strict=True) if source not in excluded]
    parts = [_NUMBERS.empty_table()]
    for first in range(0, len(files), _AT_ONCE):
        some = map_concurrently(_read_measures, files[first : first + _AT_ONCE], remote=is_uri(clips))
        parts.append(pa.concat_tables(some).combine_chunks())
    whole = pa.concat_tables(parts)
    return {name: whole[name].to_numpy() for name in MEASURES}


def card_examples(clips: str, count: int = 12) -> list[np.ndarray]:
    """The middle frames, uint8 [S, S, 3], of up to `count` clips, evenly spaced over a data set."""
    reader = ClipReader(clips, SPLITS)
    indices = sorted({len(reader) * example // count for example in range(count)}) if len(reader) else []
    return [reader[index].frames_THWC[reader.settings.frames // 2] for index in indices]
