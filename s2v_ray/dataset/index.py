"""A folder of prepared clips: its `dataset.json`, the record of each source, and its rejects."""

import contextlib
import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from s2v_ray.config.load import differing_names
from s2v_ray.dataset.schema import SCHEMA_VERSION
from s2v_ray.dataset.settings import ClipSettings, settings_from_dict
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError
from s2v_ray.preparation.sources.find import Missing
from s2v_ray.storage.files import Location, at_once, exists, is_uri, join, list_files, read_bytes, write_bytes


def read_dataset(clips: Location) -> tuple[ClipSettings, dict[str, Any]]:
    """The settings and the whole `dataset.json` of a data set. Raises UserError where there is none that fits."""
    path = join(clips, "dataset.json")
    if not exists(path):
        raise UserError(f"'{clips}' holds no clips (no dataset.json); make them with: s2v prepare --out {clips}")
    try:
        content = json.loads(read_bytes(path))
        version, settings = content["schema_version"], settings_from_dict(content["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error!r}); prepare the clips again into another folder.") from None
    if version != SCHEMA_VERSION:
        raise UserError(f"{path} has schema version {version}, but this s2v reads {SCHEMA_VERSION}; prepare it again.")
    return settings, content


def read_same_dataset(clips: Location, settings: ClipSettings, domain: str) -> dict[str, Any]:
    """The `dataset.json` to add to. Refuses to mix: UserError where it was made with other settings."""
    existing, content = read_dataset(clips)
    names = differing_names(asdict(existing), asdict(settings))
    if content["domain"] != domain:
        names.append("domain")
    if names:
        raise UserError(
            f"'{clips}' was prepared with other settings ({', '.join(names)}); "
            "give the same ones to add to it, or another --out."
        )
    return content


def read_records(clips: Location) -> dict[str, dict[str, Any]]:
    """What became of each source that is done, by its name. One whose record is damaged is not done."""
    folder = join(clips, "_sources")
    records = {}
    found = [join(folder, name) for name in list_files(folder) if name.endswith(".json") and not name.startswith(".")]
    for content in at_once(read_bytes, found, remote=is_uri(clips)):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            record = json.loads(content)
            records[record["source"]] = record
    return records


def write_record(clips: Location, key: str, record: dict[str, Any]) -> None:
    """Mark a source as done. Written after its clips, so that what is recorded is whole."""
    write_bytes(join(clips, "_sources", f"{key}.json"), json.dumps(record, indent=1).encode())


def write_dataset(
    clips: Location,
    settings: ClipSettings,
    domain: str,
    ranked_splits: dict[str, str],
    *,
    missing: list[Missing],
    complete: bool,
) -> dict[str, Any]:
    """Write `rejects.jsonl` and `dataset.json` from the records of the sources; returns the latter's content.

    `ranked_splits` are the splits that a rank decided, empty where hashes did. `missing` are files that were named
    but aren't there. `complete` says whether all sources are done.
    """
    records = read_records(clips)
    rejects = [reject for name in sorted(records) for reject in records[name]["rejects"]]
    rejects += [
        {"source": file.name, "start_seconds": None, "reason": "missing", "detail": file.detail} for file in missing
    ]
    content = {
        "schema_version": SCHEMA_VERSION,
        "complete": complete,
        "domain": domain,
        "frame_rate": settings.frame_rate,
        "sample_rate": settings.sample_rate,
        "settings": asdict(settings),
        "ranked_splits": ranked_splits,
        "counts": {
            **_counts(list(records.values()), settings),
            "splits": {
                split: _counts([record for record in records.values() if record["split"] == split], settings)
                for split in SPLITS
            },
            "rejected": dict(sorted(Counter(reject["reason"] for reject in rejects).items())),
        },
    }
    lines = "".join(json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
    write_bytes(join(clips, "rejects.jsonl"), lines.encode())
    write_bytes(join(clips, "dataset.json"), json.dumps(content, indent=2).encode())
    return content


def _counts(records: list[dict[str, Any]], settings: ClipSettings) -> dict[str, Any]:
    clips = sum(record["clips"] for record in records)
    return {
        "sources": sum(record["clips"] > 0 for record in records),
        "clips": clips,
        "seconds": float(clips * settings.seconds),
        "frames": clips * settings.frames,
    }
