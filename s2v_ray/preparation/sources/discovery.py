"""Which files there are in folders, globs and object stores, and what each is called."""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from pyarrow import fs

from s2v_ray.errors import UserError
from s2v_ray.storage.files import locate
from s2v_ray.storage.paths import is_uri

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Files:
    """The files found: their locations by their names, the folders these are relative to, and what can't be used."""

    locations: dict[str, str]
    roots: list[str]
    problems: dict[str, str]


def list_files(locations: list[str]) -> Files:
    """All files in folders (recursively, hidden ones left out), matching globs, and given one by one.

    A name is relative to the folder, to the part of a glob before its first wildcard, or to the folder of a single
    file, so it stays the same when further locations are given. In a glob `*`, `?` and `[a-z]` stand for characters of
    one name, `**` for any folders; what matches may be a folder, too. A file found in several ways is named from the
    outermost folder. Problems are folders that can't be read, links to nothing and names that are no text.

    Raises UserError for a location that does not exist, and for two files of one name.
    """
    names: dict[str, str] = {}
    roots: list[str] = []
    problems: dict[str, str] = {}
    for location in locations:
        root, found = _found(location, problems)
        roots.append(root)
        for name in found:
            file = child(root, name)
            names[file] = max(name, names.get(file, ""), key=len)
    files: dict[str, str] = {}
    for file, name in names.items():
        if files.setdefault(name, file) != file:
            raise UserError(
                f"'{files[name]}' and '{file}' would both be called '{name}'; give the folder that holds both, or a "
                "glob in quotes that starts in it."
            )
    return Files(files, roots, problems)


def normal_location(location: str) -> str:
    """An absolute local path (of a file:// URI as well), or a URI without a slash at its end."""
    if is_uri(location) and not location.startswith("file:"):
        base, mark, query = location.partition("?")
        return base.rstrip("/") + mark + query
    path = locate(location)[1] if is_uri(location) else location
    return os.path.normpath(Path(path).expanduser().absolute())


def child(root: str, name: str) -> str:
    """The location of `name` under the location `root`."""
    if not is_uri(root):
        return f"{root.rstrip('/')}/{name}"
    base, mark, query = root.partition("?")
    return f"{base}/{quote(name)}{mark}{query}"


def parent(location: str) -> str:
    """The location of the folder that holds `location`."""
    if not is_uri(location):
        return str(Path(location).parent)
    base, mark, query = location.partition("?")
    return base.rpartition("/")[0] + mark + query


def base_name(location: str) -> str:
    """The last part of a location."""
    if not is_uri(location):
        return Path(location).name
    return unquote(location.partition("?")[0].rpartition("/")[2])


def file_info(location: str) -> fs.FileInfo:
    """What is there: a file with size and time, a folder, or nothing. Raises UserError where that can't be told."""
    filesystem, path = locate(location)
    try:
        return filesystem.get_file_info(path)
    except OSError as error:
        raise UserError(f"'{location}' can't be read: {error}.") from None


def _found(location: str, problems: dict[str, str]) -> tuple[str, Iterable[str]]:
    """The folder that names are relative to, and the names of the files found."""
    whole = normal_location(location)
    kind = file_info(whole).type
    if kind == fs.FileType.Directory:
        return whole, _walk(whole, [], problems)
    if kind == fs.FileType.File:
        return parent(whole), [base_name(whole)]
    base, mark, query = whole.partition("?") if is_uri(whole) else (whole, "", "")
    parts = base.split("/")
    wild = next((index for index, part in enumerate(parts) if _WILD.search(part)), None)
    root = ("/".join(parts[:wild]) or "/") + mark + query
    if wild is None or file_info(root).type != fs.FileType.Directory:
        raise UserError(f"--videos '{location}' does not exist; give a folder of videos, a glob, or video files.")
    return root, _walk(root, parts[wild:], problems)


def _walk(root: str, pattern: list[str], problems: dict[str, str]) -> Iterator[str]:
    """Names of the files below `root` that match, or lie in a folder that does; all of them without a pattern."""
    for name in _walk_store(root) if is_uri(root) else _walk_local(root, pattern, problems):
        parts = name.split("/")
        hidden = any(part.startswith(".") for part in parts)
        if not hidden and (not pattern or any(_matches(parts[:end], pattern) for end in range(1, len(parts) + 1))):
            yield name


def _walk_store(root: str) -> Iterator[str]:
    filesystem, path = locate(root)
    yield from walk_filesystem(filesystem, path, root)


def walk_filesystem(filesystem: fs.FileSystem, folder: str, called: str) -> Iterator[str]:
    """Names of all the files below a folder of one of pyarrow's file systems; `called` is its name in errors."""
    try:
        infos = filesystem.get_file_info(fs.FileSelector(folder, recursive=True))
    except OSError as error:
        raise UserError(f"'{called}' can't be listed: {error}.") from None
    for info in infos:
        if info.type == fs.FileType.File:
            yield info.path[len(folder) :].lstrip("/")


def _walk_local(root: str, pattern: list[str], problems: dict[str, str]) -> Iterator[str]:
    """The same for a local folder, following links to folders except into a loop."""
    pending: list[tuple[str, str, tuple[str, ...]]] = [(root, "", (os.path.realpath(root),))]
    while pending:
        folder, called, above = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            problems[called or folder] = f"The folder can't be read ({error.strerror})."
            continue
        for entry in entries:
            name = called + entry.name
            if not _may_hold(name.split("/"), pattern):
                continue
            if not _is_text(name):
                problems[name.encode("utf-8", "backslashreplace").decode()] = "Its name is not UTF-8; rename it."
            elif entry.is_dir():
                real = os.path.realpath(entry.path)
                if not entry.name.startswith(".") and real not in above:
                    pending.append((entry.path, f"{name}/", (*above, real)))
            elif entry.is_file():
                yield name
            elif entry.is_symlink():
                problems[name] = f"It is a link to nothing ('{Path(entry.path).readlink()}')."


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _may_hold(parts: list[str], pattern: list[str]) -> bool:
    """Whether what matches could be `parts` or lie in it."""
    for part, wanted in zip(parts, pattern, strict=False):
        if wanted == "**":
            return True
        if not fnmatch.fnmatchcase(part, wanted):
            return False
    return True


def _matches(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or (bool(parts) and _matches(parts[1:], pattern))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
