"""Copies of a video, at another size or in another container: all of them belong in one split."""

from dataclasses import replace
from typing import NamedTuple

from s2v_ray.dataset.index import each_record, read_record, write_record
from s2v_ray.dataset.records import Reject, SourceRecord
from s2v_ray.errors import UserError
from s2v_ray.preparation.fingerprint import find_copies
from s2v_ray.preparation.sources.source import Source
from s2v_ray.storage.files import move_file, remove_file
from s2v_ray.storage.paths import join


def settle_duplicates(out: str) -> dict[str, str]:
    """Move each copy to the split of the first source that sounds like it; returns the first's name by the copy's.

    The first stays the first in later runs. A copy is rejected where it would be in two splits: if the data themselves
    put it into another split than the first's, or if moments of either are in several. Parts of one file are no copies
    of each other.
    """
    sounds = sorted(_Sound.of(record) for record in each_record(out) if record.clips)
    parts: dict[str, list[_Sound]] = {}  # each file's sources
    for sound in sounds:
        parts.setdefault(sound.path, []).append(sound)
    # One at a time: a fingerprint is longer than all else in a record.
    first_paths = dict(find_copies((path, _record(out, found[0]).fingerprint or "") for path, found in parts.items()))
    copies = {}
    for path, found in parts.items():
        firsts = parts[first_paths.get(path, path)]
        splits = {split for sound in firsts for split in sound.splits}
        for sound in found:
            first = firsts[0].name if path in first_paths else sound.name
            must_move = path in first_paths and ({*sound.splits} != splits or len(splits) > 1)
            if path in first_paths:
                copies[sound.name] = first
            if must_move or first != sound.first:
                record = replace(_record(out, sound), first=first)
                write_record(out, sound.key, _moved(out, record, sorted(splits)) if must_move else record)
    return copies


class _Sound(NamedTuple):
    """What is known of a source that may be a copy; sorted, the first of several copies comes first."""

    is_new: bool
    name: str
    path: str
    first: str | None
    splits: tuple[str, ...]

    @classmethod
    def of(cls, record: SourceRecord) -> "_Sound":
        return cls(record.first is None, record.source, record.path, record.first, tuple(record.split_clips))

    @property
    def key(self) -> str:
        return Source(self.path, self.name).key


def _record(out: str, sound: _Sound) -> SourceRecord:
    record = read_record(out, sound.key)
    if record is None:
        rule = f"has been removed or replaced since; prepare '{sound.name}' again"
        raise UserError("damaged_clips", f"A record in '{join(out, '_sources')}' {rule}.")
    return record


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
