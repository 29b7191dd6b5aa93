"""From one video to its clips: cut, measured, checked, written as one file and recorded."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median_low

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.dataset.index import read_record, write_record
from s2v_ray.dataset.measures import Measures
from s2v_ray.dataset.records import Reject, SourceRecord
from s2v_ray.dataset.schema import clip_row
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.audio import channels_taken
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import MediaInfo, probe
from s2v_ray.media.decoding.windows import Window
from s2v_ray.preparation.fingerprint import sound_fingerprint
from s2v_ray.preparation.framing.apply import framed_windows
from s2v_ray.preparation.framing.find import find_framing
from s2v_ray.preparation.framing.framing import Framing, square_of
from s2v_ray.preparation.plan import SourceTask, SourceWindows, is_done, source_windows
from s2v_ray.preparation.quality.measure import measure_window, rejection_reason
from s2v_ray.preparation.source_file import open_source, source_faults
from s2v_ray.storage.files import exists, remove_file, writing
from s2v_ray.storage.paths import join, readable

# A source's lag is searched for in up to this many of its windows; most of at least three must agree on it.
_LAG_WINDOWS, _LEAST_LAG_WINDOWS = 8, 3
_AGREEING_FRAMES, _AGREEING_SHARE = 2, 0.75


@dataclass(frozen=True)
class _Cut:
    """Where clips are cut out of a source: in time and in its upright frames."""

    windows: SourceWindows
    framing: Framing
    square: tuple[int, int, int]  # x, y and size


def prepare_source(task: SourceTask) -> int:
    """Cut one source into clips, write them as one Parquet file, and record what became of it; returns their number.

    Never raises for a bad source: what can't be used is in the record's `rejects`. Raises what concerns all sources,
    such as a full disk.
    """
    settings, source = task.settings, task.source
    rejects: list[Reject] = []
    record = SourceRecord(
        source.name,
        readable(source.path),
        version=(),
        split="",
        split_is_given=bool(source.split),
        clips=0,
        rejects=(),
        group=source.group,
        unit=task.unit,
        framing_given=source.framing_given,
    )
    try:
        if task.failure:
            what = f"The decoder {task.failure} on this file"
            raise MediaError(task.failure, f"{what}; convert it with another program, or leave it out.")
        with open_source(source, settings) as media:
            cut = _source_cut(media, task)
            record = replace(_framed(record, cut.framing), fingerprint=sound_fingerprint(media), lag_fixed=0)
            record = _with_streams(record, media)
            lag = _source_lag(media, cut, settings)
            record = replace(record, lag_fixed=lag, gap_seconds=cut.windows.gap_seconds or None)
            record = record.with_clips(_write_clips(task, _rows(media, task, cut, lag, rejects)))
    except MediaError as error:
        rejects.append(Reject.from_error(source.name, error))
    for split in SPLITS:  # the clips of an earlier version of the source may be in another split
        if split not in record.split_clips and exists(_target(task, split)):
            remove_file(_target(task, split))
    # Gone meanwhile, perhaps; should it come back, it is prepared then.
    with contextlib.suppress(MediaError), source_faults(source):
        record = replace(record, version=source.version())
    write_record(task.out, source.key, replace(record, rejects=tuple(rejects)))
    return record.clips


def resume_source(task: SourceTask) -> int:
    """`prepare_source`, unless that has been done already; returns the number of clips."""
    record = read_record(task.out, task.source.key)
    if is_done(task.source, record, lambda split, file: exists(join(task.out, f"split={split}", file))):
        return record.clips if record else 0
    return prepare_source(task)


def source_clips(task: SourceTask, rejects: list[Reject]) -> Iterator[pa.RecordBatch]:
    """The clips of one source as rows, with nothing written; what can't be used goes to `rejects`.

    Never raises for a bad source.
    """
    try:
        with open_source(task.source, task.settings) as media:
            cut = _source_cut(media, task)
            lag = _source_lag(media, cut, task.settings)
            for _, row in _rows(media, task, cut, lag, rejects):
                yield row
    except MediaError as error:
        rejects.append(Reject.from_error(task.source.name, error))


def _target(task: SourceTask, split: str) -> str:
    return join(task.out, f"split={split}", f"{task.source.key}.parquet")


def source_framing(media: MediaFile, starts: list[Fraction], info: MediaInfo, task: SourceTask) -> Framing:
    """How the frames of a source are cropped and stabilised: as its list says, or else as the settings do."""
    source, settings = task.source, task.settings
    own = replace(settings, crop=source.crop or settings.crop, stabilize=source.stabilize or settings.stabilize)
    return find_framing(media, starts, info.width, info.height, own, () if source.crop else task.scenes)


def _source_cut(media: MediaFile, task: SourceTask) -> _Cut:
    """Decide where to cut a source. Raises MediaError as `probe`, `source_windows` and `find_framing` do."""
    info = probe(media)
    windows = source_windows(task, info)
    framing = source_framing(media, list(windows.splits), info, task)
    return _Cut(windows, framing, square_of(framing, info.width, info.height))


def _framed(record: SourceRecord, framing: Framing) -> SourceRecord:
    crop = framing.crop
    return replace(
        record,
        crop=(crop.x, crop.y, crop.size) if crop else None,
        stabilized=framing.mode,
        shift_pixels=round(framing.shift_pixels, 3),
        scene=framing.scene,
    )


def _with_streams(record: SourceRecord, media: MediaFile) -> SourceRecord:
    """The record with what is not plain about the source's streams."""
    tracks: dict[str, str] = {
        kind: f"{track.number} of {track.count}" for kind, track in media.taken().items() if track.count > 1
    }
    channels = {layout: channel + 1 for layout, channel in channels_taken(media).items()}
    parts = 1 + len(media.audio().parts)
    return replace(
        record,
        tracks_taken=tracks or None,
        channels_taken=channels or None,
        parts=parts if parts > 1 else None,
    )


def _source_lag(media: MediaFile, cut: _Cut, settings: ClipSettings) -> int:
    """By how many frames the sound of a source comes after its motion; 0 where its windows don't agree, or unasked."""
    if not settings.fix_lag:
        return 0
    starts = list(cut.windows.splits)
    some = starts[:: max(1, -(-len(starts) // _LAG_WINDOWS))]
    lags = [
        round(_measure(window, settings).lag_frames)
        for _, window, _ in framed_windows(media, some, cut.framing, settings)
        if isinstance(window, Window)
    ]
    if len(lags) < _LEAST_LAG_WINDOWS:
        return 0
    middle = median_low(lags)
    agreeing = sum(abs(lag - middle) <= _AGREEING_FRAMES for lag in lags)
    return middle if agreeing >= _AGREEING_SHARE * len(lags) else 0


def _write_clips(task: SourceTask, rows: Iterator[tuple[str, pa.RecordBatch]]) -> dict[str, int]:
    """Write each row as a row group of the source's file in its split; returns how many by split."""
    clips = Counter[str]()
    options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    writers: dict[str, pq.ParquetWriter] = {}
    with contextlib.ExitStack() as files:
        for split, row in rows:
            if split not in writers:
                file = files.enter_context(writing(_target(task, split)))
                writers[split] = files.enter_context(pq.ParquetWriter(file, row.schema, **options))
            writers[split].write_batch(row)
            clips[split] += 1
    return dict(clips)


def _rows(
    media: MediaFile, task: SourceTask, cut: _Cut, lag_frames: int, rejects: list[Reject]
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The good windows of the task's splits as rows, each with its split; the others go to `rejects`."""
    source, settings = task.source, task.settings
    kept = [start for start, split in cut.windows.splits.items() if split in task.splits]
    windows = framed_windows(media, kept, cut.framing, settings, sound_shift=lag_frames / settings.rate)
    for start, window, transforms_T23 in windows:
        if isinstance(window, MediaError):
            rejects.append(Reject.from_error(source.name, window, float(start)))
            continue
        measures = _measure(window, settings)
        if fault := rejection_reason(measures, settings.quality):
            rejects.append(Reject.from_error(source.name, MediaError(*fault), float(start)))
        else:
            row = clip_row(
                source.name, task.domain, start, window.frames_THWC, window.wave, measures, settings,
                square=cut.square, transforms_T23=transforms_T23,
            )  # fmt: skip
            yield cut.windows.splits[start], row


def _measure(window: Window, settings: ClipSettings) -> Measures:
    return measure_window(window.frames_THWC, window.wave, settings.rate, settings.sample_rate)
