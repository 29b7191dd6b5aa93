"""What to prepare: which sources, in which split, and which parts of each."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import overload

import numpy as np
import pyarrow as pa

from s2v_ray.dataset.index import DatasetInfo, read_dataset, read_records, read_same_dataset
from s2v_ray.dataset.records import Reject, SourceRecord
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.dataset.splits import AUTO, BY_SOURCE, SPLITS
from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.probe import MediaInfo
from s2v_ray.preparation.blocks import Block, least_seconds, time_blocks
from s2v_ray.preparation.clip_format import choose_clip_format
from s2v_ray.preparation.scene import Scene, read_scenes
from s2v_ray.preparation.scene_search import Footage, find_scenes, uses_scenes
from s2v_ray.preparation.source_file import source_faults
from s2v_ray.preparation.sources.find import find_sources
from s2v_ray.preparation.sources.packed import GROUP_ROWS, PackedSources
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.split_plan import SplitPlan, plan_splits
from s2v_ray.preparation.survey import MOST_PROBED, Probed, common_span, lengths_of, probe_some, usable_seconds
from s2v_ray.preparation.windows import covering_starts, has_room, window_starts
from s2v_ray.storage.files import list_files
from s2v_ray.storage.paths import join, readable

# Up to this many sources are looked at to find scenes.
_MOST_SOURCES_TO_SCAN = 24
# Possibly the machine's fault (permissions, memory, load): another run tries these sources again.
_TEMPORARY_REASONS = {"not_found", "unreadable", "crashed", "hung", "too_slow", "failed"}


@dataclass(frozen=True)
class SourceTask:
    """One source to prepare; `failure` is `crashed` or `hung` if it took down the processes that tried it."""

    source: Source
    split: str  # of all its clips, unless its time is cut into blocks
    domain: str
    out: str
    settings: ClipSettings
    failure: str = ""
    split_by: str = BY_SOURCE  # BY_TIME: clips cover its time
    in_blocks: bool = False  # whether its time is cut into blocks, if it is long enough
    unit: str = ""  # the sources that are in one split together
    is_new: bool = False  # whether the unit has got its split now
    splits: tuple[str, ...] = SPLITS  # whose clips are made
    scenes: tuple[Scene, ...] = ()


@dataclass(frozen=True)
class PlannedTasks(Sequence[SourceTask]):
    """Sources, and what is decided of each (see SplitPlan), as tasks; a slice of them is another such value."""

    sources: PackedSources
    decided: pa.Table
    domain: str
    out: str
    settings: ClipSettings
    split_by: str
    scenes: tuple[Scene, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, index: int) -> SourceTask: ...
    @overload
    def __getitem__(self, index: slice) -> "PlannedTasks": ...
    def __getitem__(self, index: int | slice) -> "SourceTask | PlannedTasks":
        rows = np.arange(len(self))[index]
        if isinstance(index, slice):
            return replace(self, sources=self.sources.take(rows), decided=self.decided.take(rows))
        return next(iter(self[rows : rows + 1]))

    def __iter__(self) -> Iterator[SourceTask]:
        decided = (row for part in self.decided.to_batches(GROUP_ROWS) for row in part.to_pylist())
        for source, row in zip(self.sources, decided, strict=True):
            yield SourceTask(
                source, row["split"], self.domain, self.out, self.settings, split_by=self.split_by,
                in_blocks=row["in_blocks"], unit=row["unit"], is_new=row["is_new"], scenes=self.scenes,
            )  # fmt: skip


@dataclass(frozen=True)
class SourceWindows:
    """Where a source's clips start, in seconds, sorted, each with its split; and how much of its time is in gaps."""

    splits: Mapping[Fraction, str]
    gap_seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What is left to do for the data set `out`, how many sources are done already, and what is missing."""

    out: str
    domain: str
    settings: ClipSettings
    tasks: Sequence[SourceTask]
    done_before: int
    missing: list[Reject]
    splits: SplitPlan
    scenes: tuple[Scene, ...] = ()
    chosen: str = ""  # in words, what was chosen by the videos


def plan(
    videos: list[str],
    out: str,
    domain: str,
    settings: ClipSettings,
    *,
    manifest: str = "",
    manifest_format: str = "",
    select: tuple[str, ...] = (),
    own_manifest: bool = False,
    split_by: str = AUTO,
    assigned: Mapping[str, str] = MappingProxyType({}),
    with_scenes: bool = True,
) -> Plan:
    """Find the sources, give each its split, and leave out those that are done.

    See `find_sources` for the manifest, and `plan_splits` for `split_by` and `assigned`. What `settings` leave to be
    chosen is chosen by up to 24 of the sources, unless the data set exists already; so are its scenes, to which sources
    that are added later may add others. Without `with_scenes`, each source is on its own.

    Raises UserError for missing videos, for an `out` that was made with other settings, and for names that clash.
    """
    sources, missing = find_sources(
        videos, manifest=manifest, manifest_format=manifest_format, select=select, own_manifest=own_manifest
    )
    pa.default_memory_pool().release_unused()  # which had the list of files, and would keep its memory for a while
    records = read_records(out)
    done, stored = _look(sources, records, out) if records else (np.zeros(len(sources), bool), {})
    todo = sources.take(np.flatnonzero(~done))
    probed = probe_some(todo, settings)
    existing: DatasetInfo | None = None
    chosen = ""
    if records:
        settings = _as_before(settings, read_dataset(out))
        existing = read_same_dataset(out, settings, domain)
    else:
        settings, chosen = choose_clip_format(settings, lengths_of(probed))
    are_probed = len(todo) <= MOST_PROBED
    lengths = usable_seconds(probed, settings) if are_probed else dict.fromkeys(sources.take(done).names(), 0.0)
    # Also of those that gave no clips and are tried again: they may be cut into blocks then.
    lengths |= {name: math.inf for name, record in records.items() if record.clips}
    splits = plan_splits(
        sources,
        lengths,
        other_seconds=0.0 if are_probed else math.inf,
        split_by=split_by,
        least_seconds=float(least_seconds(settings)),
        existing=existing,
        records=records,
        stored=stored,
        assigned=assigned,
    )
    tasks = PlannedTasks(todo, splits.decided.take(np.flatnonzero(~done)), domain, out, settings, splits.split_by)
    if with_scenes:
        tasks = replace(tasks, scenes=_scenes(tasks, probed, settings, out, existing))
    return Plan(out, domain, settings, tasks, len(sources) - len(tasks), missing, splits, tasks.scenes, chosen)


def _look(sources: PackedSources, records: Mapping[str, SourceRecord], out: str) -> tuple[np.ndarray, dict[str, str]]:
    """Which sources are done, bool [sources], and in which split each has clips, recorded or not, by its name."""
    _check_names(sources, records)
    files = {split: set(list_files(join(out, f"split={split}"))) for split in SPLITS}
    done: list[bool] = []
    stored: dict[str, str] = {}
    for source in sources:
        file = f"{source.key}.parquet"
        for split in SPLITS:
            if file in files[split]:
                stored[source.name] = split
        done.append(is_done(source, records.get(source.name), lambda split, file: file in files[split]))
    return np.array(done, bool), stored


def _has_version(source: Source, version: tuple[int, ...]) -> bool:
    with contextlib.suppress(MediaError), source_faults(source):  # gone meanwhile, as its record will say
        return source.version() == version
    return False


def is_done(source: Source, record: SourceRecord | None, has_file: Callable[[str, str], bool]) -> bool:
    """Whether a source has not changed, its clips exist, and another try would have the same result.

    `has_file` says whether a split has a file of this name.
    """
    if record is None or record.framing_given != source.framing_given or not _has_version(source, record.version):
        return False
    if record.clips:
        return all(has_file(split, f"{source.key}.parquet") for split in record.split_clips)
    return not any(reject.reason in _TEMPORARY_REASONS for reject in record.rejects)


def source_windows(task: SourceTask, info: MediaInfo) -> SourceWindows:
    """Where the clips of a source start, and their splits. Raises MediaError `too_short` if there is room for none."""
    source, settings = task.source, task.settings
    start, end = _interval(source, info, settings)
    if task.split_by == BY_SOURCE:
        return SourceWindows(dict.fromkeys(window_starts(source.name, start, end, settings), task.split))
    blocks = time_blocks(source.name, start, end, settings) if task.in_blocks else []
    used = blocks or [Block(task.split, start, end)]
    gaps = [later.start - earlier.end for earlier, later in pairwise(used)]
    return SourceWindows(covering_starts(source.name, used, settings), float(sum(gaps)))


def _interval(source: Source, info: MediaInfo, settings: ClipSettings) -> tuple[Fraction, Fraction]:
    """The seconds in which a source has picture and sound. Raises MediaError `too_short` unless a clip fits."""
    start, end = common_span(source, info)
    if not has_room(start, end, settings):
        raise MediaError(
            "too_short",
            f"Picture and sound together last {max(0.0, float(end - start)):.2f} s, but a clip is "
            f"{float(settings.seconds):g} s; prepare with a smaller --clip-seconds to use it.",
        )
    return start, end


def _as_before(settings: ClipSettings, known: DatasetInfo) -> ClipSettings:
    """Settings with what was chosen by the videos when the data set was started."""
    rate = known.settings.frame_rate if "frame_rate" in settings.auto else settings.frame_rate
    seconds = known.settings.seconds if "clip_seconds" in settings.auto else settings.seconds
    crop = known.settings.crop if settings.crop == AUTO else settings.crop
    stabilize = known.settings.stabilize if settings.stabilize == AUTO else settings.stabilize
    frames = round(seconds * Fraction(rate))
    return replace(settings, frame_rate=rate, frames=frames, crop=crop, stabilize=stabilize, auto=())


def _scenes(
    tasks: PlannedTasks, probed: Sequence[Probed], settings: ClipSettings, out: str, known: DatasetInfo | None
) -> tuple[Scene, ...]:
    """The scenes of a data set; new sources may add some, but a preparation that was stopped resumes as it started."""
    if not uses_scenes(settings):
        return ()
    before = read_scenes(out) if known else []
    if known and not known.complete:
        return tuple(before)
    footage = []
    for row, source, info in [each for each in probed if not each.source.crop][:_MOST_SOURCES_TO_SCAN]:
        with contextlib.suppress(MediaError), source_faults(source):
            footage.append(Footage(source, list(source_windows(tasks[row], info).splits), info.width, info.height))
    return (*before, *(find_scenes(footage, settings, before) if len(footage) > 1 else ()))  # of at least two each


def _check_names(sources: Iterable[Source], records: Mapping[str, SourceRecord]) -> None:
    """Raise UserError if a name means another file than before, or a file has another name, under another root."""
    names = {record.path: name for name, record in records.items()}
    for source in sources:
        known = records.get(source.name)
        if known and known.path != readable(source.path) and not _has_version(source, known.version):
            detail = f"'{source.name}' is '{source.path}', but was '{known.path}' in this data set"
            raise UserError("same_name", f"{detail}; give one folder that holds both, or another --out.")
        if not known and "@" not in source.name and (path := readable(source.path)) in names:
            detail = f"'{path}' is '{names[path]}' in this data set, but would be '{source.name}'"
            raise UserError("other_name", f"{detail}; give the same --videos as before.")
