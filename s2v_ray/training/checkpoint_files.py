"""Checkpoints on disk: which a run has, and their files, whole and as they were written.

A run directory holds `checkpoints/step_00001000/` and the text files `best` and `last`, each naming one of these. A
checkpoint is complete when its manifest, written last, is there; only what the manifest lists, byte for byte, is read.
"""

import hashlib
import json
import re

from s2v_ray.errors import UserError
from s2v_ray.storage.files import exists, list_folders, read_bytes, remove_file, remove_folder, write_bytes
from s2v_ray.storage.paths import Location, join

MANIFEST = "manifest.json"
_NAME = re.compile(r"step_\d{8}")


class DamagedCheckpointError(UserError):
    """A checkpoint that is incomplete, or whose files are not as they were written."""

    def __init__(self, message: str) -> None:
        super().__init__("damaged_checkpoint", message)

    def __reduce__(self) -> tuple[type["DamagedCheckpointError"], tuple[str]]:
        return DamagedCheckpointError, (self.message,)


def write_files(run: Location, step: int, files: dict[str, bytes], *, best: bool) -> str:
    """Write a checkpoint's files and point `last` (and `best`) to it; returns its location."""
    name = f"step_{step:08d}"
    folder = join(run, "checkpoints", name)
    for file, content in files.items():
        write_bytes(join(folder, file), content)
    manifest = {
        file: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for file, content in files.items()
    }
    write_bytes(join(folder, MANIFEST), json.dumps(manifest, indent=2).encode())
    for pointer in ("best", "last") if best else ("last",):
        write_bytes(join(run, "checkpoints", pointer), name.encode())
    return folder


def read_files(checkpoint: Location) -> dict[str, bytes]:
    """The files of a checkpoint, each as its manifest says. Raises DamagedCheckpointError."""
    if not exists(join(checkpoint, MANIFEST)):
        raise DamagedCheckpointError(f"'{checkpoint}' is incomplete (it has no {MANIFEST}); choose another checkpoint.")
    try:
        manifest = json.loads(read_bytes(join(checkpoint, MANIFEST)))
        listed = {str(name): (entry["bytes"], entry["sha256"]) for name, entry in manifest.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedCheckpointError(
            f"'{checkpoint}' is damaged: {MANIFEST} can't be read ({error!r}); choose another checkpoint."
        ) from None
    return {name: _read_file(checkpoint, name, size, digest) for name, (size, digest) in listed.items()}


def remove_checkpoint(checkpoint: Location) -> None:
    """Remove a checkpoint, its manifest first, so that an interrupted removal leaves an incomplete one."""
    remove_file(join(checkpoint, MANIFEST))
    remove_folder(checkpoint)


def find_checkpoint(location: Location) -> str:
    """The checkpoint at `location`: itself, or the best (else the last) one of a run. Raises UserError."""
    if exists(join(location, MANIFEST)):
        return str(location)
    found = best_checkpoint(location) or last_checkpoint(location)
    if found is None:
        raise UserError(
            "no_checkpoint",
            f"'{location}' is neither a run with checkpoints nor a complete checkpoint; give --checkpoint what "
            "s2v train wrote with --out.",
        )
    return found


def last_checkpoint(run: Location) -> str | None:
    """The one that a run resumes from, or None before the first."""
    return _pointed(run, "last")


def best_checkpoint(run: Location) -> str | None:
    """The one with the best validation score, or None before the first validation."""
    return _pointed(run, "best")


def checkpoints(run: Location) -> dict[str, bool]:
    """The locations of a run's checkpoints, in the order of their steps, and whether each is complete."""
    folder = join(run, "checkpoints")
    names = [name for name in sorted(list_folders(folder)) if _NAME.fullmatch(name)]
    return {join(folder, name): exists(join(folder, name, MANIFEST)) for name in names}


def _read_file(checkpoint: Location, name: str, size: int, digest: str) -> bytes:
    if "/" in name or "\\" in name:
        raise DamagedCheckpointError(f"'{checkpoint}' is damaged: its manifest names a file elsewhere ('{name}').")
    if not exists(join(checkpoint, name)):
        raise DamagedCheckpointError(f"'{checkpoint}' is damaged: {name} is missing; choose another checkpoint.")
    content = read_bytes(join(checkpoint, name))
    if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
        raise DamagedCheckpointError(
            f"'{checkpoint}' is damaged: {name} has {len(content)} bytes that differ from the {size} that were "
            "written; choose another checkpoint, or let s2v train resume from the one before by --skip-damaged."
        )
    return content


def _pointed(run: Location, pointer: str) -> str | None:
    location = join(run, "checkpoints", pointer)
    if not exists(location):
        return None
    name = read_bytes(location).decode(errors="replace").strip()
    if not _NAME.fullmatch(name):
        raise UserError(
            "damaged_pointer",
            f"{location} is damaged: it says '{name[:40]}', but must name a folder such as step_00001000.",
        )
    return join(run, "checkpoints", name)
