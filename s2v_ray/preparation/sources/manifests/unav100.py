"""UnAV-100: JSON `{"database": {id: {"subset": ..., "annotations": [{"label": ..., "segment": [start, end]}]}}}`.

The files are whole videos, `<id>.mp4`. An annotation is an event in one: events that overlap make one source.
"""

import json
from collections.abc import Iterator
from typing import Any

from s2v_ray.errors import UserError
from s2v_ray.preparation.sources.manifests.rows import Row, parse_id, parse_times, refused, whole_parts

_SPLITS = {"train": "train", "training": "train", "validation": "val", "val": "val", "test": "test"}


def read(text: str, manifest: str) -> Iterator[Row]:
    """A row for each annotation. Raises UserError for a malformed one."""
    for video, entry in _database(text, manifest).items():
        line, content = f"entry '{video}'", entry
        try:
            _check(video, entry)
            for number, content in enumerate(entry["annotations"], 1):
                line = f"entry '{video}', annotation {number}"
                yield _parse(line, video, _SPLITS[entry["subset"].lower()], content)
        except ValueError as error:
            raise refused(manifest, line, json.dumps(content, ensure_ascii=False), str(error)) from None


def _database(text: str, manifest: str) -> dict[str, Any]:
    try:
        # Numbers stay text, so that times are exact.
        content = json.loads(text, parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        detail = f"{manifest}, line {error.lineno}: not JSON ({error.msg})"
        raise UserError("wrong_manifest", f"{detail}; get the file again.") from None
    except RecursionError:
        raise UserError("wrong_manifest", f"{manifest} is nested too deeply; get the file again.") from None
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict):
        raise UserError("wrong_manifest", f"{manifest} has no object 'database'; get the file again.")
    return database


def _check(video: str, entry: Any) -> None:
    parse_id(video)
    if not isinstance(entry, dict) or not isinstance(entry.get("annotations"), list):
        raise ValueError("it must have a list 'annotations'")
    if str(entry.get("subset")).lower() not in _SPLITS:
        raise ValueError(f"its subset is '{entry.get('subset')}', but must be train, validation or test")


def _parse(line: str, video: str, split: str, annotation: Any) -> Row:
    if not isinstance(annotation, dict) or not isinstance(annotation.get("label"), str):
        raise ValueError("it must have a 'label'")
    segment = annotation.get("segment")
    if not isinstance(segment, list) or len(segment) != 2:
        raise ValueError("it must have a 'segment' of a start and an end")
    parts = whole_parts(video, *parse_times(*segment))
    return Row(line, parts, event=True, labels=(annotation["label"].strip(),), split=split, group=video)
