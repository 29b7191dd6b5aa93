"""Local paths and object-store URIs alike, through pyarrow's file systems. A file appears whole or not at all."""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
from pyarrow import fs

from s2v_ray.config.errors import UserError

Location = str | Path


def is_uri(location: Location) -> bool:
    """Whether `location` is a URI such as s3://bucket/clips, rather than a local path."""
    return "://" in str(location)


def locate(location: Location) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI, and the path there."""
    if not is_uri(location):
        return fs.LocalFileSystem(), str(Path(location).absolute())
    try:
        return fs.FileSystem.from_uri(str(location))
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"'{location}' is no path and no URI that can be opened: {error}.") from None


def absolute(location: Location) -> str:
    """The same place, told so that it is found from any working directory. Raises UserError for an empty name."""
    if not str(location):
        raise UserError("A path is empty, as from a shell variable that is not set; name a place.")
    return str(location) if is_uri(location) else str(Path(location).expanduser().absolute())


def join(location: Location, *parts: str) -> str:
    """`location/part/part`."""
    return "/".join([str(location).rstrip("/"), *parts])


def exists(location: Location) -> bool:
    """Whether there is a file or a folder."""
    filesystem, path = locate(location)
    return filesystem.get_file_info(path).type != fs.FileType.NotFound


def list_files(location: Location, *, recursive: bool = False) -> list[str]:
    """Names of the files under a folder, relative to it, sorted; none where there is no such folder."""
    filesystem, path = locate(location)
    selector = fs.FileSelector(path, recursive=recursive, allow_not_found=True)
    files = [info.path for info in filesystem.get_file_info(selector) if info.type == fs.FileType.File]
    return sorted(name[len(path) :].lstrip("/") for name in files)


def list_folders(location: Location) -> list[str]:
    """Names of the folders right under a folder, sorted; none where there is no such folder."""
    filesystem, path = locate(location)
    infos = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(info.base_name for info in infos if info.type == fs.FileType.Directory)


def read_bytes(location: Location) -> bytes:
    """A file's whole content. Raises UserError where it is not there."""
    filesystem, path = locate(location)
    try:
        with filesystem.open_input_stream(path) as file:
            return file.read()
    except FileNotFoundError:
        raise UserError(f"There is no file '{location}'.") from None


@contextlib.contextmanager
def writing(location: Location) -> Iterator[IO[bytes]]:
    """A binary file to write, which appears under its name when the block ends well, and not at all otherwise."""
    filesystem, path = locate(location)
    if not isinstance(filesystem, fs.LocalFileSystem):
        # Uploaded only when whole: closing an upload, even after an error, would publish what it has.
        with tempfile.TemporaryFile() as whole:
            yield whole
            whole.seek(0)
            with filesystem.open_output_stream(path) as upload:
                shutil.copyfileobj(whole, upload)
        return
    with writing_path(path) as beside, beside.open("wb") as file:
        yield file


@contextlib.contextmanager
def writing_path(path: Location) -> Iterator[Path]:
    """A local path beside `path` to write to, renamed to `path` when the block ends well, removed otherwise."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(location: Location, content: bytes) -> None:
    """Write a whole file, or nothing."""
    with writing(location) as file:
        file.write(content)


def make_folder(location: Location) -> None:
    """Make a folder, and those above it, where there is none."""
    filesystem, path = locate(location)
    filesystem.create_dir(path)


def remove_file(location: Location) -> None:
    """Remove a file."""
    filesystem, path = locate(location)
    filesystem.delete_file(path)


def remove_folder(location: Location) -> None:
    """Remove a folder and all in it."""
    filesystem, path = locate(location)
    filesystem.delete_dir(path)
