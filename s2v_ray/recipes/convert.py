"""What `s2v convert` does: the clips of a data set, in the files of another format."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from s2v_ray.dataset.exports import Format
from s2v_ray.dataset.exports.lance import check_lance, write_lance
from s2v_ray.dataset.exports.webdataset import write_tar
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists, read_bytes, write_bytes
from s2v_ray.storage.lock import lock
from s2v_ray.storage.own_folders import CONVERTED, check_not_input, check_output_folder
from s2v_ray.storage.paths import is_uri, join

_RECORD = "converted.json"
_SHARD_BYTES = 256 * 2**20  # of a tar: some hundred clips of the default size


@dataclass(frozen=True)
class _File:
    """A file, or a folder of Lance, to write: some clips of a split."""

    name: str
    split: str
    clips: range


def convert_clips(
    clips: str, out: str, to: Format, progress: Callable[[float, str], None], *, shard_bytes: int = _SHARD_BYTES
) -> dict[str, int]:
    """Write the clips of a data set to `out`, but those of excluded sources; returns how many there are by split.

    Each file appears as a whole; those that are there already stay, so that the same call resumes. `progress` is called
    with the part done, 0..1, and a text.

    Raises UserError `unfinished` for a data set that is not complete; `no_clips` for an empty one;
    `no_lance`; `local_only` for Lance in an object store; `other_clips` where `out` holds other clips; and as
    `check_output_folder` and `ClipReader` do.
    """
    _check(clips, out, to)
    readers = {split: ClipReader(clips, split, cache_gib=0) for split in SPLITS}
    counts = {split: len(reader) for split, reader in readers.items() if len(reader)}
    if not counts:
        raise UserError("no_clips", f"'{clips}' has no clips to convert; its rejects.jsonl says why.")
    files = [file for split, count in counts.items() for file in _files(split, count, to, readers[split], shard_bytes)]
    described = _description(readers, counts, files, to)
    with lock(out, out):
        _start(out, described, files)
        for number, file in enumerate(files):
            if not exists(join(out, file.name)):
                rows = map(readers[file.split].row, file.clips)
                _write(join(out, file.name), rows, file.split, to)
            progress((number + 1) / len(files), file.name)
        _record(out, {**described, "complete": True})
    return counts


def _check(clips: str, out: str, to: Format) -> None:
    if not read_dataset(clips).complete:
        raise UserError("unfinished", f"'{clips}' is not complete; give its s2v prepare command again first.")
    if to == "lance":
        check_lance()
        if is_uri(out):
            raise UserError("local_only", f"--out is '{out}', but Lance is written to a local folder; copy it there.")
    check_not_input(out, "--out", {"--clips": clips})
    check_output_folder(out, "--out", CONVERTED)


def _files(split: str, count: int, to: Format, reader: ClipReader, shard_bytes: int) -> Iterator[_File]:
    if to == "lance":
        yield _File(f"{split}.lance", split, range(count))
        return
    settings = reader.settings
    clip_bytes = settings.frames * (settings.stored_size**2 * 3 + settings.samples_per_frame * 2)
    each = max(1, shard_bytes // clip_bytes)
    for number, first in enumerate(range(0, count, each)):
        yield _File(f"{split}-{number:06d}.tar", split, range(first, min(first + each, count)))


def _write(location: str, rows: Iterator[pa.Table], split: str, to: Format) -> None:
    if to == "webdataset":
        write_tar(location, rows, split)
        return
    first = next(rows)

    def alike() -> Iterator[pa.Table]:
        yield first
        for row in rows:
            if row.schema != first.schema:
                rule = "have other columns than those before; prepare them again with one release"
                raise UserError("wrong_version", f"Clips of '{row['source'][0].as_py()}' {rule}.")
            yield row

    write_lance(Path(location), alike(), first.schema)


def _description(
    readers: dict[str, ClipReader], counts: dict[str, int], files: list[_File], to: Format
) -> dict[str, Any]:
    """What `converted.json` says."""
    settings = next(iter(readers.values())).settings
    fingerprints = "\n".join(f"{split} {reader.fingerprint}" for split, reader in readers.items())
    return {
        "format": to,
        "complete": False,
        "clips": hashlib.sha256(fingerprints.encode()).hexdigest()[:16],
        "frame_rate": settings.frame_rate,
        "sample_rate": settings.sample_rate,
        "frames_shape": [settings.frames, settings.stored_size, settings.stored_size, 3],
        "splits": {
            split: {"clips": count, "files": [file.name for file in files if file.split == split]}
            for split, count in counts.items()
        },
    }


def _start(out: str, described: dict[str, Any], files: list[_File]) -> None:
    """Write what is to come, or check that it is what is there."""
    path = join(out, _RECORD)
    if not exists(path):
        if there := next((file.name for file in files if exists(join(out, file.name))), None):
            rule = f"holds '{there}', but no {_RECORD} that says of which clips; name another folder"
            raise UserError("other_clips", f"--out '{out}' {rule}.")
        _record(out, described)
        return
    try:
        known = json.loads(read_bytes(path))
        same = {**known, "complete": False} == described
    except (ValueError, TypeError, RecursionError):
        same = False
    if not same:
        rule = "holds other clips, or another format, or was made before sources were added or excluded"
        raise UserError("other_clips", f"--out '{out}' {rule}; name another folder.")


def _record(out: str, described: dict[str, Any]) -> None:
    write_bytes(join(out, _RECORD), json.dumps(described, indent=1).encode())
