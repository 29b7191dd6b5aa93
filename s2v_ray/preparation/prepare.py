"""From one video to its clips: cut, measured, checked, written as one file and recorded."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from statistics import median_low

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.dataset.index import write_record
from s2v_ray.dataset.measures import Measures
from s2v_ray.dataset.records import Reject, SourceRecord
from s2v_ray.dataset.schema import clip_row
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import probe
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.media.decoding.windows import Window, decode_windows
from s2v_ray.preparation.fingerprint import sound_fingerprint
from s2v_ray.preparation.plan import SourceTask, source_crop, source_windows
from s2v_ray.preparation.quality.measure import measure_window, rejection_reason
from s2v_ray.storage.files import exists, remove_file, writing
from s2v_ray.storage.paths import join

# A source's lag is searched for in up to this many of its windows; most of at least three must agree on it.
_LAG_WINDOWS, _LEAST_LAG_WINDOWS = 8, 3
_AGREEING_FRAMES, _AGREEING_SHARE = 2, 0.75

Windows = Iterator[tuple[Fraction, Window | MediaError]]  # by their starts, in seconds


def prepare_source(task: SourceTask) -> int:
    """Cut one source into clips, write them as one Parquet file, and record what became of it; returns their number.

    Never raises for a bad source: what can't be used is in the record's `rejects`.
    """
    settings, source = task.settings, task.source
    rejects: list[Reject] = []
    record = SourceRecord(
        source.name,
        source.path,
        version=(),
        split="",
        split_is_given=bool(source.split),
        clips=0,
        rejects=(),
        group=source.group,
        unit=task.unit,
    )
    try:
        if task.failure:
            what = f"The decoder {task.failure} on this file"
            raise MediaError(task.failure, f"{what}; convert it with another program, or leave it out.")
        with MediaFile(source.path, Budget(settings.limits)) as media:
            windows = source_windows(task, probe(media))
            starts = list(windows.splits)
            crop = source_crop(media, starts, settings)
            square = (crop.x, crop.y, crop.size) if crop else None
            record = replace(record, crop=square, fingerprint=sound_fingerprint(media), lag_fixed=0)
            lag = _source_lag(media, starts, crop, settings) if settings.fix_lag else 0
            record = replace(record, lag_fixed=lag, gap_seconds=windows.gap_seconds or None)
            kept = [start for start in starts if windows.splits[start] in task.splits]
            rows = _rows(task, _windows(media, kept, crop, settings, lag), rejects)
            record = record.with_clips(_write_clips(task, ((windows.splits[start], row) for start, row in rows)))
    except MediaError as error:
        rejects.append(Reject.from_error(source.name, error))
    for split in SPLITS:  # the clips of an earlier version of the source may be in another split
        if split not in record.split_clips and exists(_target(task, split)):
            remove_file(_target(task, split))
    with contextlib.suppress(MediaError):  # gone meanwhile; should it come back, it is prepared then
        record = replace(record, version=source.version())
    write_record(task.out, source.key, replace(record, rejects=tuple(rejects)))
    return record.clips


def source_clips(task: SourceTask, rejects: list[Reject]) -> Iterator[pa.RecordBatch]:
    """The clips of one source as rows, with nothing written; what can't be used goes to `rejects`.

    Never raises for a bad source.
    """
    settings = task.settings
    try:
        with MediaFile(task.source.path, Budget(settings.limits)) as media:
            windows = source_windows(task, probe(media))
            starts = list(windows.splits)
            crop = source_crop(media, starts, settings)
            lag = _source_lag(media, starts, crop, settings) if settings.fix_lag else 0
            kept = [start for start in starts if windows.splits[start] in task.splits]
            for _, row in _rows(task, _windows(media, kept, crop, settings, lag), rejects):
                yield row
    except MediaError as error:
        rejects.append(Reject.from_error(task.source.name, error))


def _target(task: SourceTask, split: str) -> str:
    return join(task.out, f"split={split}", f"{task.source.key}.parquet")


def _windows(
    media: MediaFile, starts: list[Fraction], crop: Crop | None, settings: ClipSettings, lag_frames: int = 0
) -> Windows:
    return decode_windows(
        media,
        starts,
        frame_count=settings.frames,
        frame_rate=settings.rate,
        sample_rate=settings.sample_rate,
        size=settings.stored_size,
        crop=crop,
        sound_shift=lag_frames / settings.rate,
    )


def _source_lag(media: MediaFile, starts: list[Fraction], crop: Crop | None, settings: ClipSettings) -> int:
    """By how many frames the sound of a source comes after its motion; 0 where its windows don't agree."""
    some = starts[:: max(1, -(-len(starts) // _LAG_WINDOWS))]
    lags = [
        round(_measure(window, settings).lag_frames)
        for _, window in _windows(media, some, crop, settings)
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


def _rows(task: SourceTask, windows: Windows, rejects: list[Reject]) -> Iterator[tuple[Fraction, pa.RecordBatch]]:
    """The good windows as rows, by their starts; the others go to `rejects`."""
    source, settings = task.source, task.settings
    for start, window in windows:
        if isinstance(window, MediaError):
            rejects.append(Reject.from_error(source.name, window, float(start)))
            continue
        measures = _measure(window, settings)
        if fault := rejection_reason(measures, settings.quality):
            rejects.append(Reject.from_error(source.name, MediaError(*fault), float(start)))
        else:
            row = clip_row(source.name, task.domain, start, window.frames_THWC, window.wave, measures, settings)
            yield start, row


def _measure(window: Window, settings: ClipSettings) -> Measures:
    return measure_window(window.frames_THWC, window.wave, settings.rate, settings.sample_rate)
