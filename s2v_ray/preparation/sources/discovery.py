"""The files in folders, globs and object stores, and the name of each."""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from s2v_ray.errors import UserError
from s2v_ray.storage.files import file_info, is_folder, list_files
from s2v_ray.storage.paths import base_name, is_uri, join, parent

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class FoundFiles:
    """The files found: their locations by name, the folders that names are relative to, and what can't be used."""

    locations: dict[str, str]
    roots: list[str]
    problems: dict[str, str]


def find_files(locations: list[str]) -> FoundFiles:
    """All files in folders (recursively, without hidden ones), files that match globs, and single files.

    `locations` are absolute paths or URIs, as `user_location` returns them. A name is relative to the folder, to the
    part of a glob before its first wildcard, or to the folder of a single file; a file found in several ways is named
    from the outermost folder. In a glob `*`, `?` and `[a-z]` stand for characters of one name, `**` for any folders; a
    folder may match, too. Problems are folders that can't be read, broken links, and names that are not UTF-8.

    Raises UserError `not_found` for a location that does not exist, and `same_name` for two files.
    """
    names: dict[str, str] = {}
    roots: list[str] = []
    problems: dict[str, str] = {}
    for location in locations:
        root, found = _found(location, problems)
        roots.append(root)
        for name in found:
            file = join(root, name)
            names[file] = max(name, names.get(file, ""), key=len)
    files: dict[str, str] = {}
    for file, name in names.items():
        if files.setdefault(name, file) != file:
            both = f"'{files[name]}' and '{file}' would both be called '{name}'"
            raise UserError("same_name", f"{both}; give the folder that holds both, or a quoted glob in it.")
    return FoundFiles(files, roots, problems)


def _found(location: str, problems: dict[str, str]) -> tuple[str, Iterable[str]]:
    """The folder that names are relative to, and the names of the files found."""
    kind = file_info(location).type
    if kind == fs.FileType.Directory:
        return location, _walk(location, [], problems)
    if kind == fs.FileType.File:
        return parent(location), [base_name(location)]
    base, mark, query = location.partition("?") if is_uri(location) else (location, "", "")
    parts = base.split("/")
    wild = next((index for index, part in enumerate(parts) if _WILD.search(part)), None)
    root = ("/".join(parts[:wild]) or "/") + mark + query
    if wild is None or not is_folder(root):
        raise UserError("not_found", f"--videos '{location}' does not exist; give folders, globs or video files.")
    return root, _walk(root, parts[wild:], problems)


def _walk(root: str, pattern: list[str], problems: dict[str, str]) -> Iterator[str]:
    """Names of the files below `root` that match, or that are in a folder that matches; all of them by no pattern."""
    for name in list_files(root, recursive=True) if is_uri(root) else _walk_local(root, pattern, problems):
        parts = name.split("/")
        hidden = any(part.startswith(".") for part in parts)
        if not hidden and (not pattern or any(_matches(parts[:end], pattern) for end in range(1, len(parts) + 1))):
            yield name


def _walk_local(root: str, pattern: list[str], problems: dict[str, str]) -> Iterator[str]:
    """Names of the files below a local folder, following links to folders except into a loop."""
    pending: list[tuple[str, str, tuple[str, ...]]] = [(root, "", (os.path.realpath(root),))]
    while pending:
        folder, prefix, above = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            problems[prefix or folder] = f"The folder can't be read ({error.strerror})."
            continue
        for entry in entries:
            name = prefix + entry.name
            if not _may_hold(name.split("/"), pattern):
                continue
            if (printable := name.encode("utf-8", "backslashreplace").decode()) != name:
                problems[printable] = "Its name is not UTF-8; rename it."
            elif entry.is_dir():
                real = os.path.realpath(entry.path)
                if not entry.name.startswith(".") and real not in above:
                    pending.append((entry.path, f"{name}/", (*above, real)))
            elif entry.is_file():
                yield name
            elif entry.is_symlink():
                problems[name] = f"It is a broken link (to '{Path(entry.path).readlink()}')."


def _may_hold(parts: list[str], pattern: list[str]) -> bool:
    """Whether `parts` may match, or be a folder that holds a match."""
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
