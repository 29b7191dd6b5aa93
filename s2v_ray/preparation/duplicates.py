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

    The first stays the first in later runs. A copy that the data themselves put into another split than the first's
    is rejected, since it would be in two splits.
    """
    records = read_records(out)
    order = sorted((name for name in records if records[name].clips), key=lambda n: (records[n].first is None, n))
    copies = find_duplicates({name: records[name].fingerprint or "" for name in order})
    for name in order:
        record, first = records[name], copies.get(name, name)
        if record.first == first:
            continue
        record = replace(record, first=first)
        if record.split != records[first].split:
            record = _moved(out, record, first, records[first].split)
        write_record(out, Source(record.path, name).key, record)
    return copies


def _moved(out: str, record: SourceRecord, first: str, split: str) -> SourceRecord:
    """Move the clips of a copy to `split`, or remove them if its split is given."""
    file = f"{Source(record.path, record.source).key}.parquet"
    clips = join(out, f"split={record.split}", file)
    if record.split_is_given:
        detail = f"It sounds like '{first}' in split '{split}', but is itself given to '{record.split}'."
        remove_file(clips)
        reject = Reject(record.source, None, "duplicate", detail)
        return replace(record, clips=0, split="", rejects=(*record.rejects, reject))
    move_file(clips, join(out, f"split={split}", file))
    return replace(record, split=split)
