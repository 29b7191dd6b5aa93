"""Local paths and object-store URIs alike, through pyarrow's file systems. A file appears whole or not at all."""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

import pyarrow as pa
from pyarrow import fs

from s2v_ray.errors import StoreError, UserError
from s2v_ray.storage.object_stores import connect_store
from s2v_ray.storage.paths import Location, absolute, base_name, is_uri, join  # noqa: F401 (until all import paths)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

AT_ONCE = 16  # requests to an object store: each mostly waits


def locate(location: Location) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI, and the path there. Raises UserError."""
    if not is_uri(location):
        return fs.LocalFileSystem(), str(Path(location).absolute())
    return connect_store(str(location))


@contextlib.contextmanager
def naming(location: Location) -> Iterator[None]:
    """What an object store refuses, after all tries, becomes a StoreError. A file that isn't there is no such thing."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if not is_uri(location):
            raise
        raise StoreError(str(location), str(error)) from error


def at_once(work: Callable[[_Item], _Result], items: Iterable[_Item], *, remote: bool) -> list[_Result]:
    """`work` on each item, in their order; of an object store on many at once."""
    if not remote:
        return [work(item) for item in items]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, items))


def exists(location: Location) -> bool:
    """Whether there is a file or a folder."""
    return _kind(location) != fs.FileType.NotFound


def is_folder(location: Location) -> bool:
    """Whether there is a folder."""
    return _kind(location) == fs.FileType.Directory


def _kind(location: Location) -> fs.FileType:
    filesystem, path = locate(location)
    with naming(location):
        return filesystem.get_file_info(path).type


def list_versions(location: Location, *, recursive: bool = False) -> dict[str, str]:
    """The files under a folder by their names relative to it, sorted, and for each what changes when it does.

    There are none where there is no such folder.
    """
    filesystem, path = locate(location)
    with naming(location):
        infos = filesystem.get_file_info(fs.FileSelector(path, recursive=recursive, allow_not_found=True))
    files = {
        info.path[len(path) :].lstrip("/"): f"{info.size} {info.mtime_ns}"
        for info in infos
        if info.type == fs.FileType.File
    }
    return dict(sorted(files.items()))


def list_files(location: Location, *, recursive: bool = False) -> list[str]:
    """Names of the files under a folder, relative to it, sorted; none where there is no such folder."""
    return list(list_versions(location, recursive=recursive))


def list_folders(location: Location) -> list[str]:
    """Names of the folders right under a folder, sorted; none where there is no such folder."""
    filesystem, path = locate(location)
    with naming(location):
        infos = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(info.base_name for info in infos if info.type == fs.FileType.Directory)


def open_file(location: Location) -> pa.NativeFile:
    """A file to read here and there, also by several threads; a local one is mapped into memory."""
    filesystem, path = locate(location)
    with naming(location):
        return filesystem.open_input_file(path) if is_uri(location) else pa.memory_map(path)


def read_bytes(location: Location) -> bytes:
    """A file's whole content. Raises UserError where it is not there."""
    filesystem, path = locate(location)
    try:
        # Not `open_input_stream`, of which an object store's `read` makes a request for every 256 KiB.
        with naming(location), filesystem.open_input_file(path) as file:
            return file.read()
    except FileNotFoundError:
        raise UserError(f"There is no file '{location}'.") from None


@contextlib.contextmanager
def writing(location: Location) -> Iterator[IO[bytes]]:
    """A binary file to write, which appears under its name when the block ends well, and not at all otherwise."""
    if is_uri(location):
        # Uploaded only when whole: closing an upload, even after an error, would publish what it has.
        with tempfile.TemporaryFile() as whole:
            yield whole
            whole.seek(0)
            _upload(whole, location)
    else:
        with writing_path(location) as beside, beside.open("wb") as file:
            yield file


@contextlib.contextmanager
def writing_path(location: Location) -> Iterator[Path]:
    """A local path to write to, which becomes the file `location` when the block ends well, and is removed otherwise.

    Of a local file it lies beside it, and is renamed.
    """
    if is_uri(location):
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / base_name(location)
            yield whole
            upload(whole, location)
        return
    path = Path(location).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def upload(path: Path, location: Location) -> None:
    """Copy a local file to an object store."""
    with path.open("rb") as whole:
        _upload(whole, location)


def _upload(whole: IO[bytes], location: Location) -> None:
    filesystem, path = locate(location)
    with naming(location), filesystem.open_output_stream(path) as file:
        shutil.copyfileobj(whole, file)


def write_bytes(location: Location, content: bytes) -> None:
    """Write a whole file, or nothing."""
    with writing(location) as file:
        file.write(content)


def make_folder(location: Location) -> None:
    """Make a folder, and those above it, where there is none."""
    filesystem, path = locate(location)
    with naming(location):
        filesystem.create_dir(path)


def move_file(location: Location, target: Location) -> None:
    """Give a file another name in the same store; where it can't be renamed, it has both for a moment."""
    filesystem, path = locate(location)
    _, new_path = locate(target)
    with naming(location):
        if not is_uri(target):
            Path(new_path).parent.mkdir(parents=True, exist_ok=True)
        filesystem.move(path, new_path)


def remove_file(location: Location) -> None:
    """Remove a file, where it is there."""
    filesystem, path = locate(location)
    with naming(location), contextlib.suppress(FileNotFoundError):
        filesystem.delete_file(path)


def remove_folder(location: Location) -> None:
    """Remove a folder and all in it."""
    filesystem, path = locate(location)
    with naming(location):
        filesystem.delete_dir(path)
