"""LeRobot: `meta/info.json`, tables of measurements, and MP4 files of each camera.

Up to v2.1 a file is an episode; in v3 it holds many, and `meta/episodes` says from when to when each lasts. An episode
is a source of its own, and what several cameras saw of it is in one split. Its labels are its tasks and its camera.
"""

import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import pyarrow.parquet as pq

from s2v_ray.errors import StoreError, UserError
from s2v_ray.preparation.sources.layouts.found import (
    BATCH_ROWS,
    BROKEN,
    VIDEO_SUFFIXES,
    Found,
    labels_in,
    real_splits,
    shown,
    split_named,
)
from s2v_ray.preparation.sources.source import Source, part_name
from s2v_ray.storage.files import open_file, read_bytes, store_errors

INFO = "meta/info.json"
_FOLDERS = ("meta", "data", "videos", "images")
_MOST_EPISODES = 10**7
_MOST_NAMED = 1000  # of the missing: a line of JSON can claim any number
_FIELD = re.compile(r"\{(\w+)(?::0?(\d)d)?\}")


def read(files: Mapping[str, str]) -> Found:
    """The episodes of the data sets of LeRobot among `files`, which are locations by name."""
    found = Found()
    for name in files:
        if name != INFO and not name.endswith(f"/{INFO}"):
            continue
        root = name[: -len(INFO)]
        try:
            info = json.loads(read_bytes(files[name]))
            if not isinstance(info, dict) or not {"codebase_version", "features"} <= info.keys():
                continue
            sources = list(_episodes(root, info, files, found))
        except StoreError:
            raise
        except (UserError, *BROKEN) as error:
            found.reject(name, "unreadable", f"It describes no data set of LeRobot that can be read: {shown(error)}.")
            sources = []
        found.sources += real_splits(sources)
        _claim(found, name, files, {source.path for source in sources})
    return found


def _claim(found: Found, info: str, files: Mapping[str, str], used: set[str]) -> None:
    """Take the files of the data set of which `used` are the episodes' videos, by location; reject its other videos."""
    inside = files[info].rpartition(INFO)[0]  # by location: other folders' files have no root in their names
    own = tuple(f"{inside}{folder}/" for folder in _FOLDERS)  # what else lies there is no part of it
    for name, location in files.items():
        if location not in used and not location.startswith(own):
            continue
        found.names.add(name)
        if used and location not in used and PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES:
            found.reject(name, "unlisted", f"'{info}' describes a data set in which no episode is in this video.")


def _episodes(root: str, info: dict[str, Any], files: Mapping[str, str], found: Found) -> Iterator[Source]:
    cameras = [name for name, feature in info["features"].items() if feature.get("dtype") == "video"]
    if not cameras:
        found.reject(f"{root}{INFO}", "no_video", "None of its features is a video; its images can't be used.")
    is_long = int(str(info["codebase_version"]).lstrip("v").partition(".")[0]) >= 3
    splits = _splits(info.get("splits") or {})
    rows = _long_rows(root, files, cameras) if is_long and cameras else _short_rows(root, files, info)
    missing = 0
    for number, row in enumerate(rows):
        if number * len(cameras) > _MOST_EPISODES:
            raise ValueError(f"it claims more than {_MOST_EPISODES} videos")
        episode = int(row["episode_index"])
        tasks = labels_in(row.get("tasks"))
        for camera in cameras:
            start = end = None
            values = {"video_key": camera, "episode_index": episode}
            if is_long:
                values |= {key: int(row[f"videos/{camera}/{key}"]) for key in ("chunk_index", "file_index")}
                start, end = (_seconds(row[f"videos/{camera}/{key}_timestamp"]) for key in ("from", "to"))
            else:
                values["episode_chunk"] = episode // int(info.get("chunks_size", 1000))
            name = root + _filled(info["video_path"], values)
            if name not in files:
                missing += 1
                if missing <= _MOST_NAMED:
                    name = shown(name)
                    found.reject(part_name(name, start, end), "missing", f"Episode {episode} should be in '{name}'.")
                continue
            split = next((split for split, (first, last) in splits if first <= episode < last), "")
            yield Source(
                files[name],
                part_name(name, start, end),
                start,
                end,
                labels=(*tasks, camera),
                split=split,
                group=f"{root}episode_{episode:06d}",
            )
    if missing > _MOST_NAMED:
        found.reject(f"{root}{INFO}", "missing", f"{missing} of its videos, of which the first are named, are missing.")


def _long_rows(root: str, files: Mapping[str, str], cameras: list[str]) -> Iterator[dict[str, Any]]:
    """The episodes of v3: a row each, in Parquet."""
    keys = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
    columns = ["episode_index", "tasks", *(f"videos/{camera}/{key}" for camera in cameras for key in keys)]
    for name in sorted(files):
        if name.startswith(f"{root}meta/episodes/") and name.endswith(".parquet"):
            with store_errors(files[name]), open_file(files[name]) as file:
                table = pq.ParquetFile(file)
                if table.metadata.num_rows > _MOST_EPISODES:
                    raise ValueError(f"'{name}' has {table.metadata.num_rows} rows")
                for batch in table.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
                    yield from batch.to_pylist()


def _short_rows(root: str, files: Mapping[str, str], info: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The episodes of v2: a line each, or else as many as there are."""
    listed = files.get(f"{root}meta/episodes.jsonl")
    if listed:
        yield from map(json.loads, filter(str.strip, read_bytes(listed).decode().splitlines()))
        return
    total = int(info["total_episodes"])
    if total > _MOST_EPISODES:
        raise ValueError(f"total_episodes is {total}")
    yield from ({"episode_index": episode} for episode in range(total))


def _splits(given: dict[str, str]) -> list[tuple[str, tuple[int, int]]]:
    """From `{"train": "0:50"}`: each split, and its first and last episode, the latter exclusively."""
    ranges = {split_named(word): str(text).partition(":") for word, text in given.items()}
    return [(split, (int(first), int(last))) for split, (first, _, last) in ranges.items() if split]


def _seconds(value: float) -> Fraction:
    """A time to the microsecond. Raises ValueError unless it is finite and not negative."""
    if not 0 <= value < 10**9:
        raise ValueError(f"a time of {value} s")
    return Fraction(round(value * 10**6), 10**6)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """A path of a template such as "videos/chunk-{episode_chunk:03d}/...": not by `format`, as it is a stranger's."""

    def fill(match: re.Match[str]) -> str:
        return f"{values[match[1]]:0{match[2]}d}" if match[2] else str(values[match[1]])

    return _FIELD.sub(fill, template)
