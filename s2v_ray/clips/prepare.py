"""From videos to clips: plan the work, do it source by source (in any order, anywhere), and sum it up."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.clips.dataset import read_records, read_same_dataset, write_dataset, write_record
from s2v_ray.clips.schema import clip_row, clip_schema
from s2v_ray.clips.settings import ClipSettings
from s2v_ray.clips.sources import Source, find_sources
from s2v_ray.clips.splits import FEW_SOURCES, split_by_hash, splits_by_rank
from s2v_ray.clips.windows import window_starts
from s2v_ray.config import MediaError, UserError
from s2v_ray.media.decode import Window, decode_windows
from s2v_ray.media.probe import MediaInfo, probe
from s2v_ray.media.storage import exists, join, remove_file, writing


@dataclass(frozen=True)
class Job:
    """One source to prepare."""

    source: Source
    split: str
    domain: str
    out: str
    settings: ClipSettings


def plan(videos: list[str], out: str, domain: str, settings: ClipSettings) -> tuple[list[Job], int, dict[str, str]]:
    """The sources that are still to be prepared, how many are done already, and the splits that a rank decided.

    Raises UserError for missing videos, and for an `out` that was made with other settings.
    """
    sources = find_sources(videos)
    if exists(join(out, "dataset.json")):
        ranked_splits = read_same_dataset(out, settings, domain)["ranked_splits"]
    else:
        ranked_splits = splits_by_rank(_usable(sources, settings)) if len(sources) < FEW_SOURCES else {}
    records = read_records(out)
    _check_names(sources, records)
    write_dataset(out, settings, domain, ranked_splits, complete=False)
    jobs = [
        Job(source, ranked_splits.get(source.name) or split_by_hash(source.name), domain, out, settings)
        for source in sources
        if records.get(source.name, {}).get("version") != source.version()
    ]
    return jobs, len(sources) - len(jobs), ranked_splits


def prepare_source(job: Job) -> dict[str, Any]:
    """Cut one source into clips, write them as one Parquet file, record what became of it, and return that record.

    Never raises for a bad source: what can't be used is in the record's `rejects`.
    """
    rejects: list[dict[str, Any]] = []
    version = job.source.version()
    clips = 0
    target = join(job.out, f"split={job.split}", f"{job.source.key}.parquet")
    try:
        starts = _starts(job.source, probe(job.source.path), job.settings)
        clips = _write_clips(job, starts, target, rejects)
    except MediaError as error:
        rejects.append(_reject(job.source, None, error))
    if not clips and exists(target):
        remove_file(target)  # of an earlier version of the source
    return _record(job, version, clips, rejects)


def record_crash(job: Job) -> dict[str, Any]:
    """The record of a source whose preparation took its process down with it."""
    error = MediaError("crashed", "The decoder crashed on this file; convert it with another program, or leave it out.")
    return _record(job, job.source.version(), 0, [_reject(job.source, None, error)])


def _record(job: Job, version: list[int], clips: int, rejects: list[dict[str, Any]]) -> dict[str, Any]:
    split = job.split if clips else ""
    record = {
        "source": job.source.name,
        "path": job.source.path,
        "version": version,
        "split": split,
        "clips": clips,
        "rejects": rejects,
    }
    write_record(job.out, job.source.key, record)
    return record


def _check_names(sources: list[Source], records: dict[str, dict[str, Any]]) -> None:
    """Raises UserError where a name means another file than before, or a file has another name.

    Either happens when folders are added one by one whose names are relative to different roots.
    """
    names = {record["path"]: name for name, record in records.items()}
    for source in sources:
        known = records.get(source.name)
        if known and known["path"] != source.path and known["version"] != source.version():
            raise UserError(
                f"'{source.name}' is '{source.path}' now, but was '{known['path']}' in this data set; "
                "give one folder that holds both, or another --out."
            )
        if names.get(source.path, source.name) != source.name:
            raise UserError(
                f"'{source.path}' is in this data set as '{names[source.path]}' and would be added again as "
                f"'{source.name}'; give the same --videos as before."
            )


def _usable(sources: list[Source], settings: ClipSettings) -> list[str]:
    """The names of those that look as if they will give clips."""
    names = []
    for source in sources:
        try:
            _starts(source, probe(source.path), settings)
        except MediaError:
            continue  # prepare_source finds the same, and records it
        names.append(source.name)
    return names


def _starts(source: Source, info: MediaInfo, settings: ClipSettings) -> list[Fraction]:
    begin, end = max(info.picture_start, info.sound_start), min(info.picture_end, info.sound_end)
    starts = window_starts(source.name, begin, end, settings)
    if not starts:
        raise MediaError(
            "too_short",
            f"Picture and sound together last {max(0.0, float(end - begin)):.2f} s, shorter than a clip of "
            f"{float(settings.seconds):g} s; prepare with a smaller --clip-seconds to use it.",
        )
    return starts


def _write_clips(job: Job, starts: list[Fraction], target: str, rejects: list[dict[str, Any]]) -> int:
    """Write the clips at `starts` to `target`, one a row group; windows that fail go to `rejects`."""
    settings = job.settings
    windows = decode_windows(
        job.source.path,
        starts,
        frame_count=settings.frames,
        frame_rate=settings.rate,
        sample_rate=settings.sample_rate,
        size=settings.stored_size,
    )
    rows = _rows(job, windows, rejects)
    first = next(rows, None)
    if first is None:
        return 0
    clips = 0
    schema = clip_schema(settings)
    with (
        writing(target) as file,
        pq.ParquetWriter(file, schema, compression="none", use_dictionary=False, write_statistics=False) as writer,
    ):
        for row in itertools.chain([first], rows):
            writer.write_batch(row)
            clips += 1
    return clips


def _rows(
    job: Job, windows: Iterator[tuple[Fraction, Window | MediaError]], rejects: list[dict[str, Any]]
) -> Iterator[pa.RecordBatch]:
    for start, window in windows:
        if isinstance(window, MediaError):
            rejects.append(_reject(job.source, float(start), window))
        else:
            yield clip_row(job.source.name, job.domain, start, window.frames_THWC, window.wave, job.settings)


def _reject(source: Source, start_seconds: float | None, error: MediaError) -> dict[str, Any]:
    return {"source": source.name, "start_seconds": start_seconds, "reason": error.reason, "detail": str(error)}
