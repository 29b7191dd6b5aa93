"""Files and folders, local and in object stores alike, through pyarrow's file systems.

A file that is written appears complete or not at all.
"""

import contextlib
import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import IO, TypeVar

import pyarrow as pa
from pyarrow import fs

from s2v_ray.errors import StoreError, UserError
from s2v_ray.storage.object_stores import connect_store, network_errors
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.paths import Location, base_name, is_uri, readable

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

CONCURRENT_REQUESTS = 16  # to an object store: each mostly waits
_LONGEST_SUFFIX = 16  # bytes; a longer one names no format
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # only writing fails so


def locate(location: Location) -> tuple[fs.FileSystem, str | bytes]:
    """The file system of a path or URI, and the path there; bytes if it is not UTF-8. Raises UserError."""
    if is_uri(location):
        return connect_store(str(location))
    path = str(Path(location).absolute())
    return fs.LocalFileSystem(), path if readable(path) == path else os.fsencode(path)


@contextlib.contextmanager
def _store_of(location: Location) -> Iterator[tuple[fs.FileSystem, str | bytes]]:
    """`locate`, and `store_errors` for what is done there."""
    found = locate(location)
    with store_errors(location):
        yield found


@contextlib.contextmanager
def store_errors(location: Location) -> Iterator[None]:
    """Raise StoreError for what an object store refuses after all retries, except FileNotFoundError.

    Other OSErrors get the location as their `filename`, if they have none: pyarrow's don't.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if not is_uri(location):
            error.filename = error.filename or str(location)
            raise
        raise StoreError(str(location), str(error)) from error
    except network_errors(location) as error:
        raise StoreError(str(location), str(error)) from error


def map_concurrently(work: Callable[[_Item], _Result], items: Iterable[_Item], *, remote: bool) -> list[_Result]:
    """`work` on each item, in their order; on many at a time if they are `remote`."""
    if not remote:
        return [work(item) for item in items]
    with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        return list(pool.map(work, items))


def file_info(location: Location) -> fs.FileInfo:
    """What is at `location`: a file with size and time, a folder, or nothing. Raises UserError if that is hidden."""
    try:
        with _store_of(location) as (filesystem, path):
            if isinstance(path, bytes):  # of which pyarrow says nothing
                return _local_info(path)
            return filesystem.get_file_info(path)
    except OSError as error:
        raise UserError("unreadable", f"'{location}' can't be read: {reason(error)}.") from None


def _local_info(path: bytes) -> fs.FileInfo:
    try:
        stat = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return fs.FileInfo("", fs.FileType.NotFound)
    kinds = {S_IFREG: fs.FileType.File, S_IFDIR: fs.FileType.Directory}
    kind = kinds.get(S_IFMT(stat.st_mode), fs.FileType.Unknown)
    return fs.FileInfo("", kind, size=stat.st_size, mtime_ns=stat.st_mtime_ns)


def exists(location: Location) -> bool:
    """Whether there is a file or a folder."""
    return bool(file_info(location).type != fs.FileType.NotFound)


def is_file(location: Location) -> bool:
    """Whether there is a file."""
    return bool(file_info(location).type == fs.FileType.File)


def is_folder(location: Location) -> bool:
    """Whether there is a folder."""
    return bool(file_info(location).type == fs.FileType.Directory)


def is_special(location: Location) -> bool:
    """Whether there is something that is neither a file nor a folder: a pipe, a socket or a device."""
    return bool(file_info(location).type == fs.FileType.Unknown)


def list_versions(location: Location, *, recursive: bool = False) -> dict[str, str]:
    """The files in a folder by their names relative to it, sorted, each with a text that changes when the file does.

    A folder that does not exist has none.
    """
    if is_uri(location):
        return _stored(location, fs.FileType.File, recursive=recursive)
    found = {}
    for name, entry in _local_entries(str(location), "", files=True, recursive=recursive):
        with contextlib.suppress(OSError):  # removed meanwhile
            found[name] = f"{entry.stat().st_size} {entry.stat().st_mtime_ns}"
    return dict(sorted(found.items()))


def list_files(location: Location, *, recursive: bool = False) -> list[str]:
    """Names of the files in a folder, relative to it, sorted. A folder that does not exist has none."""
    if is_uri(location):
        return list(_stored(location, fs.FileType.File, recursive=recursive))
    return sorted(name for name, _ in _local_entries(str(location), "", files=True, recursive=recursive))


def list_folders(location: Location) -> list[str]:
    """Names of the folders directly in a folder, sorted. A folder that does not exist has none."""
    if is_uri(location):
        return list(_stored(location, fs.FileType.Directory))
    return sorted(name for name, _ in _local_entries(str(location), "", files=False, recursive=False))


def _stored(location: Location, kind: fs.FileType, *, recursive: bool = False) -> dict[str, str]:
    """What is in a folder of an object store by its name, sorted, with size and time of change."""
    with _store_of(location) as (filesystem, path):
        infos = filesystem.get_file_info(fs.FileSelector(path, recursive=recursive, allow_not_found=True))
    found = {info.path[len(path) :].lstrip("/"): info for info in infos if info.type == kind}
    return {name: f"{info.size} {info.mtime_ns}" for name, info in sorted(found.items())}


def _local_entries(
    folder: str, prefix: str, *, files: bool, recursive: bool
) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    # pyarrow would fail on all of a folder that holds one name which is not UTF-8, or one link to itself.
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # removed meanwhile, or a link that leads nowhere
                if entry.is_file() if files else entry.is_dir():
                    yield prefix + entry.name, entry
                if recursive and entry.is_dir():
                    yield from _local_entries(entry.path, f"{prefix}{entry.name}/", files=files, recursive=True)


def open_file(location: Location) -> pa.NativeFile:
    """A file for random access, also by several threads; a local one is mapped into memory."""
    with _store_of(location) as (filesystem, path):
        return filesystem.open_input_file(path) if is_uri(location) else pa.memory_map(path)


def read_bytes(location: Location) -> bytes:
    """A file's whole content. Raises UserError `not_found`."""
    try:
        # Not `open_input_stream`: its `read` makes a request to an object store for every 256 KiB.
        with _store_of(location) as (filesystem, path), filesystem.open_input_file(path) as file:
            return bytes(file.read())
    except FileNotFoundError:
        raise UserError("not_found", f"There is no file '{location}'.") from None


@contextlib.contextmanager
def writing(location: Location) -> Iterator[IO[bytes]]:
    """A binary file to write. It appears under its name when the block ends without an error, otherwise not at all."""
    with writing_path(location) as path, path.open("wb") as file:
        yield file


@contextlib.contextmanager
def writing_path(location: Location) -> Iterator[Path]:
    """A temporary local path, whose file becomes `location` when the block ends without an error.

    For a local file it is in the same folder, and is renamed.
    """
    if is_uri(location):
        # Uploaded only when complete: closing an upload, even after an error, would publish what it has.
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / base_name(location)
            yield temporary
            upload(temporary, location)
        return
    path = _followed(Path(location).absolute())
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not longer than the name itself may be.
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}{suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno in _FULL or error.filename == str(temporary):
            raise OSError(error.errno, error.strerror, str(location)) from error  # PyAV's can't be renamed
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _followed(path: Path) -> Path:
    """What a symbolic link leads to, there or not: the link itself must stay. Raises OSError if it leads in circles."""
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return target


def upload(path: Path, location: Location) -> None:
    """Copy a local file to an object store."""
    with path.open("rb") as file, _store_of(location) as (filesystem, name), filesystem.open_output_stream(name) as to:
        shutil.copyfileobj(file, to)


def write_bytes(location: Location, content: bytes) -> None:
    """Write a complete file, or nothing."""
    with writing(location) as file:
        file.write(content)


def make_folder(location: Location) -> None:
    """Make a folder, and those above it, unless it exists."""
    with _store_of(location) as (filesystem, path):
        filesystem.create_dir(path)


def move_file(location: Location, target: Location) -> None:
    """Move a file within its store. An object store copies it first, so that for a moment there are two."""
    _, new_path = locate(target)
    with _store_of(location) as (filesystem, path):
        if not is_uri(target):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
        filesystem.move(path, new_path)


def remove_file(location: Location) -> None:
    """Remove a file, if it exists."""
    with _store_of(location) as (filesystem, path), contextlib.suppress(FileNotFoundError):
        filesystem.delete_file(path)


def remove_folder(location: Location) -> None:
    """Remove a folder and all in it."""
    with _store_of(location) as (filesystem, path):
        filesystem.delete_dir(path)
