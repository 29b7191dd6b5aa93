"""Copies of a video, at another size or in another container: all of them belong in one split."""

from dataclasses import replace

from s2v_ray.dataset.index import read_records, write_record
from s2v_ray.dataset.records import Reject, SourceRecord
from s2v_ray.preparation.fingerprint import find_duplicates
from s2v_ray.preparation.sources.source import Source
from s2v_ray.storage.files import move_file, remove_file
from s2v_ray.storage.paths import join


def settle_duplicates(out: str) -> dict[str, str]:
    """Move each copy to the split of the first source that sounds like it; returns the first's name by the copy's.

    The first stays the first in later runs. A copy is rejected where it would be in two splits: if the data themselves
    put it into another split than the first's, or if moments of either are in several. Parts of one file are no copies
    of each other.
    """
    records = read_records(out)
    order = sorted((name for name in records if records[name].clips), key=lambda n: (records[n].first is None, n))
    parts: dict[str, list[str]] = {}  # the names of each file's sources
    for name in order:
        parts.setdefault(records[name].path, []).append(name)
    fingerprints = {path: records[names[0]].fingerprint or "" for path, names in parts.items()}
    first_paths = find_duplicates(fingerprints)
    copies = {}
    for path, names in parts.items():
        first_names = parts[first_paths.get(path, path)]
        splits = {split for name in first_names for split in records[name].split_clips}
        for name in names:
            record = replace(records[name], first=first_names[0] if path in first_paths else name)
            if path in first_paths:
                copies[name] = first_names[0]
                if record.split_clips.keys() != splits or len(splits) > 1:
                    record = _moved(out, record, sorted(splits))
            if record != records[name]:
                write_record(out, Source(record.path, name).key, record)
    return copies


def move_clips(out: str, record: SourceRecord, split: str) -> SourceRecord:
    """Move the clips of a source, all in one split, to another; returns its record, which is still to be written."""
    file = f"{Source(record.path, record.source).key}.parquet"
    move_file(join(out, f"split={record.split}", file), join(out, f"split={split}", file))
    return record.with_clips({split: record.clips})


def _moved(out: str, record: SourceRecord, splits: list[str]) -> SourceRecord:
    """Move the clips of a copy to the first's one split, or remove them if that is impossible."""
    if len(splits) == 1 and record.split and not record.split_is_given:
        return move_clips(out, record, splits[0])
    own = " and ".join(record.split_clips)
    detail = f"It sounds like '{record.first}', which is in {' and '.join(splits)}, but would itself be in {own}."
    for split in record.split_clips:
        remove_file(join(out, f"split={split}", f"{Source(record.path, record.source).key}.parquet"))
    reject = Reject(record.source, None, "duplicate", detail)
    return replace(record.with_clips({}), rejects=(*record.rejects, reject))
