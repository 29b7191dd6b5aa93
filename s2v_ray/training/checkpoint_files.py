"""Checkpoints on disk: which a run has, and their files, whole and as they were written.

A run directory holds `checkpoints/step_00001000/` and the text files `best` and `last`, each naming one of these. A
checkpoint is a folder, or a zip of one. It is complete when its manifest, written last, is there; only what the
manifest lists, byte for byte, is read. What else lies there, such as a model's card, is for people.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator

from s2v_ray.errors import UserError
from s2v_ray.storage.archive import is_archive, open_archive
from s2v_ray.storage.files import (
    exists,
    is_file,
    list_files,
    list_folders,
    read_bytes,
    remove_file,
    remove_folder,
    write_bytes,
)
from s2v_ray.storage.paths import Location, join

MANIFEST = "manifest.json"
DAMAGED = "damaged_checkpoint"
_NAME = re.compile(r"step_\d{8}")


def damaged(checkpoint: Location, fault: str) -> UserError:
    """The error to raise for a checkpoint that is incomplete, or whose files are not as they were written."""
    return UserError(
        DAMAGED,
        f"'{checkpoint}' is damaged: {fault}; choose another checkpoint, or let s2v train resume from the one before "
        "by --skip-damaged.",
    )


def write_files(run: Location, step: int, files: dict[str, bytes], *, best: bool) -> str:
    """Write a checkpoint's files and point `last` (and `best`) to it; returns its location."""
    folder = checkpoint_at(run, step)
    for file, content in files.items():
        write_bytes(join(folder, file), content)
    write_bytes(join(folder, MANIFEST), manifest(files))
    if best:
        point_to_best(run, step)
    _point(run, "last", step)
    return folder


def manifest(files: dict[str, bytes]) -> bytes:
    """What makes a checkpoint of these files complete, to be written after them."""
    listed = {
        file: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for file, content in files.items()
    }
    return json.dumps(listed, indent=2).encode()


def checkpoint_at(run: Location, step: int) -> str:
    """Where a run's checkpoint of a step is, or would be."""
    return join(run, "checkpoints", _name(step))


def point_to_best(run: Location, step: int) -> None:
    """Make the checkpoint of a step the run's best one."""
    _point(run, "best", step)


def read_files(checkpoint: Location) -> dict[str, bytes]:
    """The files of a checkpoint, each as its manifest says. Raises UserError if it is damaged."""
    with _reader(checkpoint) as read:
        listed = _listed(checkpoint, read(MANIFEST))
        files = {}
        for name, (size, digest) in listed.items():
            if "/" in name or "\\" in name:
                raise damaged(checkpoint, f"{MANIFEST} names a file elsewhere ('{name}')")
            content = read(name)
            if content is None:
                raise damaged(checkpoint, f"{name} is missing")
            if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
                raise damaged(checkpoint, f"{name} ({len(content)} bytes) is not as it was written ({size} bytes)")
            files[name] = content
    return files


def content_hash(checkpoint: Location) -> str:
    """A hash of a checkpoint's content, the same wherever it lies. Raises UserError if it is incomplete."""
    with _reader(checkpoint) as read:
        content = read(MANIFEST)
    _listed(checkpoint, content)
    return hashlib.sha256(content or b"").hexdigest()


def file_locations(checkpoint: Location) -> list[str]:
    """The files that hold a checkpoint."""
    return [str(checkpoint)] if is_archive(checkpoint) else [join(checkpoint, name) for name in list_files(checkpoint)]


@contextlib.contextmanager
def _reader(checkpoint: Location) -> Iterator[Callable[[str], bytes | None]]:
    """What gives the content of a checkpoint's files by their names, None of those that are not there."""
    if is_archive(checkpoint):
        with open_archive(checkpoint) as archive:
            yield archive.read
        return

    def read(name: str) -> bytes | None:
        location = join(checkpoint, name)
        return read_bytes(location) if is_file(location) else None  # a pipe or a device would never end

    yield read


def _listed(checkpoint: Location, content: bytes | None) -> dict[str, tuple[int, str]]:
    """Size and hash of each file that a manifest names."""
    if content is None:
        raise damaged(checkpoint, f"{MANIFEST} is missing, so it is incomplete")
    try:
        return {str(name): (entry["bytes"], entry["sha256"]) for name, entry in json.loads(content).items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise damaged(checkpoint, f"{MANIFEST} can't be read ({error!r})") from None


def is_intact(checkpoint: Location) -> bool:
    """Whether a checkpoint is there, its files as they were written."""
    try:
        read_files(checkpoint)
    except UserError as error:
        if error.code != DAMAGED:
            raise
        return False
    return True


def find_checkpoint(location: Location) -> str:
    """The checkpoint at `location`: itself, a zip of one, or the best (else last) one of a run. Raises UserError."""
    if is_archive(location) or exists(join(location, MANIFEST)):
        return str(location)
    found = _pointed(location, "best") or last_checkpoint(location)
    if found is None:
        raise UserError(
            "no_checkpoint",
            f"'{location}' is neither a run with checkpoints nor a complete checkpoint; give --checkpoint what "
            "s2v train or s2v export wrote with --out, or a .zip of the latter.",
        )
    return found


def last_checkpoint(run: Location) -> str | None:
    """The one that a run resumes from, or None before the first."""
    return _pointed(run, "last")


def checkpoints(run: Location) -> dict[str, bool]:
    """The locations of a run's checkpoints, in the order of their steps, and whether each is complete."""
    folder = join(run, "checkpoints")
    names = [name for name in sorted(list_folders(folder)) if _NAME.fullmatch(name)]
    return {join(folder, name): exists(join(folder, name, MANIFEST)) for name in names}


def remove_old_checkpoints(run: Location, keep: int, *, unscored: int | None) -> None:
    """Remove incomplete checkpoints, and all others but the last `keep`, the best, the one pointed to as last, and that
    of the step `unscored`.
    """
    found = checkpoints(run)
    complete = [location for location, is_complete in found.items() if is_complete]
    kept = {*complete[-keep:], _pointed(run, "best"), last_checkpoint(run)}
    if unscored is not None:
        kept.add(checkpoint_at(run, unscored))
    for location in found:
        if location not in kept:
            remove_file(join(location, MANIFEST))  # first, so that an interrupted removal leaves an incomplete one
            remove_folder(location)


def _name(step: int) -> str:
    return f"step_{step:08d}"


def _point(run: Location, pointer: str, step: int) -> None:
    write_bytes(join(run, "checkpoints", pointer), _name(step).encode())


def _pointed(run: Location, pointer: str) -> str | None:
    location = join(run, "checkpoints", pointer)
    if not exists(location):
        return None
    name = read_bytes(location).decode(errors="replace").strip()
    if not _NAME.fullmatch(name):
        raise UserError(
            "damaged_pointer",
            f"{location} is '{name[:40]}', but must name a folder such as step_00001000; write the name of one there.",
        )
    return join(run, "checkpoints", name)
