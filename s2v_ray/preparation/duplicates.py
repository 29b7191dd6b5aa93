"""Copies of a video, at another size or in another container: none may stand in two splits."""

from typing import Any

from s2v_ray.dataset.index import read_records, write_record
from s2v_ray.preparation.fingerprint import find_duplicates
from s2v_ray.preparation.sources.find import Source
from s2v_ray.storage.files import join, move_file, remove_file


def settle_duplicates(out: str) -> dict[str, str]:
    """Move each copy to the split of the first source that sounds like it; returns the first's name by the copy's.

    What an earlier run settled stays the first. A copy whose split the data themselves give, and which is another
    than the first's, is rejected, since it would join two splits.
    """
    records = read_records(out)
    order = sorted((name for name in records if records[name]["clips"]), key=lambda n: ("first" not in records[n], n))
    copies = find_duplicates({name: records[name]["fingerprint"] for name in order})
    for name in order:
        record, first = records[name], copies.get(name, name)
        if record.get("first") == first:
            continue
        record["first"] = first
        split = records[first]["split"]
        if record["split"] != split:
            _settle(out, record, first, split)
        write_record(out, Source(record["path"], name).key, record)
    return copies


def _settle(out: str, record: dict[str, Any], first: str, split: str) -> None:
    file = f"{Source(record['path'], record['source']).key}.parquet"
    now = join(out, f"split={record['split']}", file)
    if record["split_is_given"]:
        detail = f"It sounds like '{first}' in split '{split}', but is itself given to '{record['split']}'."
        record["rejects"].append(
            {"source": record["source"], "start_seconds": None, "reason": "duplicate", "detail": detail}
        )
        record["clips"], record["split"] = 0, ""
        remove_file(now)
        return
    move_file(now, join(out, f"split={split}", file))
    record["split"] = split
