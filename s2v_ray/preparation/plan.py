"""What to prepare: which sources, in which split, and which parts of each."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from s2v_ray.dataset.index import DatasetInfo, read_dataset, read_records, read_same_dataset
from s2v_ray.dataset.records import Reject, SourceRecord
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.dataset.splits import FEW_SOURCES, SPLITS, split_by_hash, splits_by_rank
from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import MediaInfo, probe
from s2v_ray.preparation.clip_format import Length, choose_clip_format
from s2v_ray.preparation.scene import Scene, read_scenes
from s2v_ray.preparation.scene_search import Footage, find_scenes, uses_scenes
from s2v_ray.preparation.sources.find import find_sources
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.windows import window_starts
from s2v_ray.storage.files import list_files
from s2v_ray.storage.paths import join

# Up to this many sources are probed to see whether enough of them are usable.
_MOST_SOURCES_TO_PROBE = 60
# Up to this many sources are looked at to choose how clips are cut.
_MOST_SOURCES_TO_SCAN = 24
# Possibly the machine's fault (permissions, memory, load): another run tries these sources again.
_TEMPORARY_REASONS = {"not_found", "unreadable", "crashed", "hung", "too_slow"}


@dataclass(frozen=True)
class SourceTask:
    """One source to prepare; `failure` is `crashed` or `hung` if it took down the processes that tried it."""

    source: Source
    split: str
    domain: str
    out: str
    settings: ClipSettings
    failure: str = ""
    scenes: tuple[Scene, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What is left to do for the data set `out`, how many sources are done already, and what is missing."""

    out: str
    domain: str
    settings: ClipSettings
    tasks: list[SourceTask]
    done_before: int
    missing: list[Reject]
    ranked_splits: Mapping[str, str]
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
    with_scenes: bool = True,
) -> Plan:
    """Find the sources, give each its split, and leave out those that are done.

    What `settings` leave to be chosen is chosen by up to 24 of the sources, unless the data set exists already; so are
    its scenes, to which sources that are added later may add others. Without `with_scenes`, each source is on its own.

    Raises UserError for missing videos, for an `out` that was made with other settings, and for names that clash.
    """
    sources, missing = find_sources(videos, manifest=manifest, manifest_format=manifest_format, select=select)
    sources = [source for source in sources if not source.path.startswith(f"{out}/")]  # not what we wrote ourselves
    records = read_records(out)
    _check_names(sources, records)
    known: DatasetInfo | None = None
    chosen = ""
    if records:
        settings = _as_before(settings, read_dataset(out))
        known = read_same_dataset(out, settings, domain)
        ranked_splits = known.ranked_splits
    else:
        settings, chosen = choose_clip_format(settings, _lengths(sources, settings))
        ranked_splits = _ranked_splits(sources, settings)
    stored = {split: set(list_files(join(out, f"split={split}"))) for split in SPLITS} if records else {}
    tasks = [
        SourceTask(
            source,
            source.split or ranked_splits.get(source.group) or split_by_hash(source.group),
            domain,
            out,
            settings,
        )
        for source in sources
        if not _is_done(source, records.get(source.name), stored)
    ]
    scenes = _scenes(tasks, settings, out, known) if with_scenes else ()
    tasks = [replace(task, scenes=scenes) for task in tasks]
    done_before = len(sources) - len(tasks)
    return Plan(out, domain, settings, tasks, done_before, missing, ranked_splits, scenes, chosen)


def _is_done(source: Source, record: SourceRecord | None, stored: dict[str, set[str]]) -> bool:
    """Whether a source has not changed, its clips exist, and another try would have the same result."""
    if record is None or record.version != source.version() or record.framing_given != source.framing_given:
        return False
    if record.clips:
        return f"{source.key}.parquet" in stored.get(record.split, ())
    return not any(reject.reason in _TEMPORARY_REASONS for reject in record.rejects)


def source_starts(source: Source, info: MediaInfo, settings: ClipSettings) -> list[Fraction]:
    """Where the clips of a source start, in seconds. Raises MediaError `too_short` if there is room for none."""
    start, end = _common_span(source, info)
    starts = window_starts(source.name, start, end, settings)
    if not starts:
        raise MediaError(
            "too_short",
            f"Picture and sound together last {max(0.0, float(end - start)):.2f} s, but a clip is "
            f"{float(settings.seconds):g} s; prepare with a smaller --clip-seconds to use it.",
        )
    return starts


def _common_span(source: Source, info: MediaInfo) -> tuple[Fraction, Fraction]:
    """From when to when a source has both picture and sound, in seconds."""
    start, end = max(info.picture_start, info.sound_start), min(info.picture_end, info.sound_end)
    origin = min(info.picture_start, info.sound_start)
    if source.start_seconds is not None:
        start = max(start, origin + source.start_seconds)
    if source.end_seconds is not None:
        end = min(end, origin + source.end_seconds)
    return start, end


def _as_before(settings: ClipSettings, known: DatasetInfo) -> ClipSettings:
    """Settings with what was chosen by the videos when the data set was begun."""
    rate = known.settings.frame_rate if "frame_rate" in settings.auto else settings.frame_rate
    seconds = known.settings.seconds if "clip_seconds" in settings.auto else settings.seconds
    return replace(settings, frame_rate=rate, frames=round(seconds * Fraction(rate)), auto=())


def _some_media(sources: list[Source], settings: ClipSettings) -> Iterator[tuple[Source, MediaFile]]:
    """Some of the sources, opened, in the order of a hash, so that they are spread over a collection."""
    for source in sorted(sources, key=lambda source: source.key[-16:])[:_MOST_SOURCES_TO_SCAN]:
        with contextlib.suppress(MediaError), MediaFile(source.path, Budget(settings.limits)) as media:
            yield source, media  # what is wrong with it is found again, and recorded, when it is prepared


def _lengths(sources: list[Source], settings: ClipSettings) -> list[Length]:
    if not settings.auto:
        return []
    lengths = []
    for source, media in _some_media(sources, settings):
        with contextlib.suppress(MediaError):
            info = probe(media)
            start, end = _common_span(source, info)
            lengths.append(Length(end - start, info.frame_rate))
    return lengths


def _scenes(tasks: list[SourceTask], settings: ClipSettings, out: str, known: DatasetInfo | None) -> tuple[Scene, ...]:
    """The scenes of a data set; new sources may add some, but a preparation that was stopped goes on as it began."""
    if not uses_scenes(settings):
        return ()
    before = read_scenes(out) if known else []
    if known and not known.complete:
        return tuple(before)
    sources = [task.source for task in tasks if not task.source.crop]

    def footage() -> Iterator[Footage]:
        for source, media in _some_media(sources, settings):
            with contextlib.suppress(MediaError):
                info = probe(media)
                yield Footage(source.path, source_starts(source, info, settings), info.width, info.height)

    return (*before, *find_scenes(footage(), settings, before))


def _ranked_splits(sources: list[Source], settings: ClipSettings) -> dict[str, str]:
    """The splits of a small new data set, by group, of the sources long enough for clips; none for a larger one."""
    undecided = [source for source in sources if not source.split]
    if len({source.group for source in undecided}) > _MOST_SOURCES_TO_PROBE:
        return {}
    groups = set()
    for source in undecided:
        try:
            with MediaFile(source.path, Budget(settings.limits)) as media:
                source_starts(source, probe(media), settings)
        except MediaError:
            continue  # prepare_source finds the same, and records it
        groups.add(source.group)
    return splits_by_rank(groups) if len(groups) < FEW_SOURCES else {}


def _check_names(sources: list[Source], records: dict[str, SourceRecord]) -> None:
    """Raise UserError if a name means another file than before, or a file has another name, under another root."""
    names = {record.path: name for name, record in records.items()}
    for source in sources:
        known = records.get(source.name)
        if known and known.path != source.path and known.version != source.version():
            detail = f"'{source.name}' is '{source.path}', but was '{known.path}' in this data set"
            raise UserError("same_name", f"{detail}; give one folder that holds both, or another --out.")
        if not known and "@" not in source.name and source.path in names:
            detail = f"'{source.path}' is '{names[source.path]}' in this data set, but would be '{source.name}'"
            raise UserError("other_name", f"{detail}; give the same --videos as before.")
