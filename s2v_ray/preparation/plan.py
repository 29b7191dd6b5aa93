"""What to prepare: which sources, in which split, and which parts of each."""

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType

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
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.split_plan import SplitPlan, plan_splits
from s2v_ray.preparation.survey import MOST_PROBED, common_span, lengths_of, probe_some
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
    splits: tuple[str, ...] = SPLITS  # whose clips are made
    scenes: tuple[Scene, ...] = ()


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
    tasks: list[SourceTask]
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
    records = read_records(out)
    _check_names(sources, records)
    stored = {split: set(list_files(join(out, f"split={split}"))) for split in SPLITS} if records else {}
    todo = [
        source
        for source in sources
        if not is_done(source, records.get(source.name), lambda split, file: file in stored.get(split, ()))
    ]
    infos = probe_some(todo, settings)
    existing: DatasetInfo | None = None
    chosen = ""
    if records:
        settings = _as_before(settings, read_dataset(out))
        existing = read_same_dataset(out, settings, domain)
    else:
        settings, chosen = choose_clip_format(settings, lengths_of(sources, infos))
    # Also of those that gave no clips and are tried again: they may be cut into blocks then.
    lengths = _usable_seconds(todo, infos, settings) | {n: math.inf for n, record in records.items() if record.clips}
    splits = plan_splits(
        sources,
        lengths,
        split_by=split_by,
        least_seconds=float(least_seconds(settings)),
        existing=existing,
        records=records,
        stored={s.name: split for split in stored for s in sources if f"{s.key}.parquet" in stored[split]},
        assigned=assigned,
    )
    tasks = [
        SourceTask(
            source,
            splits.splits[source.name],
            domain,
            out,
            settings,
            split_by=splits.split_by,
            in_blocks=source.name in splits.in_blocks,
            unit=splits.units[source.name],
        )
        for source in todo
    ]
    scenes = _scenes(tasks, infos, settings, out, existing) if with_scenes else ()
    tasks = [replace(task, scenes=scenes) for task in tasks]
    done_before = len(sources) - len(tasks)
    return Plan(out, domain, settings, tasks, done_before, missing, splits, scenes, chosen)


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
    tasks: list[SourceTask],
    infos: Mapping[str, MediaInfo],
    settings: ClipSettings,
    out: str,
    known: DatasetInfo | None,
) -> tuple[Scene, ...]:
    """The scenes of a data set; new sources may add some, but a preparation that was stopped resumes as it started."""
    if not uses_scenes(settings):
        return ()
    before = read_scenes(out) if known else []
    if known and not known.complete:
        return tuple(before)
    by_name = {task.source.name: task for task in tasks if not task.source.crop}
    footage = []
    for name in [name for name in infos if name in by_name][:_MOST_SOURCES_TO_SCAN]:
        task, info = by_name[name], infos[name]
        with contextlib.suppress(MediaError), source_faults(task.source):
            footage.append(Footage(task.source, list(source_windows(task, info).splits), info.width, info.height))
    return (*before, *(find_scenes(footage, settings, before) if len(footage) > 1 else ()))  # of at least two each


def _usable_seconds(sources: list[Source], infos: Mapping[str, MediaInfo], settings: ClipSettings) -> dict[str, float]:
    """The seconds of the sources that are long enough for clips, by name; of many, all, with infinity for unknown."""
    if len(sources) > MOST_PROBED:
        return {source.name: math.inf for source in sources}
    spans = {source.name: common_span(source, infos[source.name]) for source in sources if source.name in infos}
    return {name: float(end - start) for name, (start, end) in spans.items() if has_room(start, end, settings)}


def _check_names(sources: list[Source], records: dict[str, SourceRecord]) -> None:
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
