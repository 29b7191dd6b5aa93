"""The files in folders, globs and object stores, and the name of each."""

import errno
import fnmatch
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs

from s2v_ray.errors import UserError
from s2v_ray.storage.files import file_info, is_folder, list_files
from s2v_ray.storage.os_errors import reason
from s2v_ray.storage.own_folders import own_names
from s2v_ray.storage.paths import base_name, is_uri, join, parent, readable

_WILD = re.compile(r"[*?\[]")
_AT_ONCE = 10_000  # names that are values of Python at a time
_COLUMNS = pa.schema({"name": pa.string(), "root": pa.int32()})
Problems = dict[str, tuple[str, str]]  # by name: the reason's fixed word, and a sentence


@dataclass(frozen=True)
class FoundFiles:
    """The files found, the folders that names are relative to, and what can't be used.

    There may be millions: their names are held by Arrow, not as values of Python.
    """

    files: pa.Table  # `name`, and `root`: which of the roots it is relative to
    roots: list[str]
    problems: Problems

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """The name of each file, and its location."""
        return self._pairs(self.files)

    def by_name(self) -> Iterator[tuple[str, str]]:
        """The same, sorted by name."""
        order = pc.sort_indices(self.files["name"])
        parts = (order.slice(first, _AT_ONCE) for first in range(0, len(order), _AT_ONCE))
        return (pair for part in parts for pair in self._pairs(self.files.take(part)))

    def names(self) -> Iterator[str]:
        """The name of each file."""
        return (name for part in self.files.to_batches(_AT_ONCE) for name in part["name"].to_pylist())

    @cached_property
    def locations(self) -> dict[str, str]:
        """The files' locations by name: only whoever looks some up pays for a dictionary of all."""
        return dict(self)

    def _pairs(self, files: pa.Table) -> Iterator[tuple[str, str]]:
        for part in files.to_batches(_AT_ONCE):
            for name, root in zip(part["name"].to_pylist(), part["root"].to_pylist(), strict=True):
                yield name, join(self.roots[root], name)


def find_files(locations: list[str]) -> FoundFiles:
    """All files in folders (recursively, without hidden ones), files that match globs, and single files.

    `locations` are absolute paths or URIs, as `user_location` returns them. A name is relative to the folder, to the
    part of a glob before its first wildcard, or to the folder of a single file; a file found in several ways is named
    from the outermost folder. In a glob `*`, `?` and `[a-z]` stand for characters of one name, `**` for any folders; a
    folder may match, too. What s2v wrote itself, such as clips or a run, is left out, wherever it lies.

    Problems are folders that can't be read, links that lead nowhere or in circles, names that are not UTF-8, and pipes,
    sockets and devices; also where they are `locations` themselves, beside others.

    Raises UserError `not_found` for a location that does not exist, and `same_name` for two files.
    """
    problems: Problems = {}
    found = [_found(location, problems) for location in locations]
    roots = [root for root, _ in found]
    named = ((name, 0) for name in found[0][1]) if len(found) == 1 else _once(found)
    parts = [_COLUMNS.empty_table()]
    while some := list(islice(named, _AT_ONCE)):
        parts.append(pa.table([*map(list, zip(*some, strict=True))], schema=_COLUMNS))
    return FoundFiles(pa.concat_tables(parts).combine_chunks(), roots, problems)


def _once(found: Sequence[tuple[str, Iterable[str]]]) -> Iterator[tuple[str, int]]:
    """The name of each file, and the number of the outermost folder that it was found in."""
    named: dict[str, tuple[str, int]] = {}  # by location
    for number, (root, names) in enumerate(found):
        for name in names:
            file = join(root, name)
            named[file] = max((name, number), named.get(file, ("", 0)), key=lambda pair: len(pair[0]))
    files: dict[str, str] = {}
    for file, (name, _) in named.items():
        if files.setdefault(name, file) != file:
            both = f"'{files[name]}' and '{file}' would both be called '{name}'"
            raise UserError("same_name", f"{both}; give the folder that holds both, or a quoted glob in it.")
    yield from named.values()


def glob_root(location: str) -> str:
    """The folder before a glob's first wildcard; other locations unchanged."""
    base, mark, query = location.partition("?") if is_uri(location) else (location, "", "")
    return ("/".join(_plain_parts(base)) or "/") + mark + query


def _plain_parts(base: str) -> list[str]:
    parts = base.split("/")
    return parts[: next((index for index, part in enumerate(parts) if _WILD.search(part)), None)]


def _found(location: str, problems: Problems) -> tuple[str, Iterable[str]]:
    """The folder that names are relative to, and the names of the files found."""
    if not is_uri(location) and (problem := _problem(location)):
        problems[readable(base_name(location))] = problem
        return parent(location), []
    kind = file_info(location).type
    if kind == fs.FileType.Directory:
        return location, _walk(location, [], problems)
    if kind == fs.FileType.File:
        return parent(location), [base_name(location)]
    root = glob_root(location)
    if root == location or not is_folder(root):
        raise UserError("not_found", f"--videos '{location}' does not exist; give folders, globs or video files.")
    base = location.partition("?")[0] if is_uri(location) else location
    return root, _walk(root, base.split("/")[len(_plain_parts(base)) :], problems)


def _walk(root: str, pattern: list[str], problems: Problems) -> Iterator[str]:
    """Names of the files below `root` that match, or that are in a folder that matches; all of them by no pattern."""
    for name in _walk_store(root) if is_uri(root) else _walk_local(root, pattern, problems):
        hidden = name.startswith(".") or "/." in name
        if not hidden and (not pattern or _is_in_match(name.split("/"), pattern)):
            yield name


def _walk_store(root: str) -> Iterator[str]:
    """Names of the files below a folder in an object store."""
    files = list_files(root, recursive=True)
    inside: dict[str, set[str]] = defaultdict(set)  # the names in each folder
    for name in files:
        parts = name.split("/")
        for depth, part in enumerate(parts):
            inside["/".join(parts[:depth])].add(part)
    own = {folder: own_names(names) for folder, names in inside.items()}
    for name in files:
        parts = name.split("/")
        if not any(part in own["/".join(parts[:depth])] for depth, part in enumerate(parts)):
            yield name


def _walk_local(root: str, pattern: list[str], problems: Problems) -> Iterator[str]:
    """Names of the files below a local folder, following links to folders except into a loop."""
    pending: list[tuple[str, str, tuple[str, ...]]] = [(root, "", (os.path.realpath(root),))]
    while pending:
        folder, prefix, above = pending.pop()
        try:
            plain = _plain_files(folder)
        except OSError as error:
            problems[readable(prefix or folder)] = "unreadable", f"The folder can't be read: {reason(error)}."
            continue
        own = own_names(plain)
        for entry in sorted(plain):
            name, path = prefix + entry, f"{folder.rstrip('/')}/{entry}"
            if entry in own or entry.startswith(".") or (pattern and not _may_hold(name.split("/"), pattern)):
                continue
            if plain[entry]:
                yield name
            elif problem := _problem(path):
                problems[readable(name)] = problem
            elif Path(path).is_dir():
                real = os.path.realpath(path)
                if real not in above:
                    pending.append((path, f"{name}/", (*above, real)))
            else:
                yield name


def _plain_files(folder: str) -> dict[str, bool]:
    """The names in a folder, and whether each is seen without another look to be a file that can be used."""
    searchable = os.access(folder, os.X_OK)
    with os.scandir(folder) as entries:
        return {
            entry.name: searchable and readable(entry.name) == entry.name and entry.is_file(follow_symlinks=False)
            for entry in entries
        }


def _problem(path: str) -> tuple[str, str] | None:
    """Why what is at a local path is neither a file nor a folder to use; None if it is one, or if nothing is there."""
    name = base_name(path)
    if readable(name) != name:
        return "missing", "Its name is not UTF-8; rename it."
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - follows links, unlike an entry's own mode
    except OSError as error:
        if not os.path.lexists(path):
            return None if error.errno in (errno.ENOENT, errno.ENOTDIR) else ("unreadable", _sentence(error))
        if error.errno == errno.ENOENT:
            return "missing", f"It is a broken link (to '{readable(str(Path(path).readlink()))}')."
        return "unreadable", _sentence(error)
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return None
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"))
    what = next((kind for test, kind in kinds if test(mode)), "a device")
    return "not_a_file", f"It is {what}, not a file; remove it, or put what it gives into a file."


def _sentence(error: OSError) -> str:
    return f"It can't be read: {reason(error)}."


def _may_hold(parts: list[str], pattern: list[str]) -> bool:
    """Whether `parts` may match, or be a folder that holds a match."""
    for part, wanted in zip(parts, pattern, strict=False):
        if wanted == "**":
            return True
        if not fnmatch.fnmatchcase(part, wanted):
            return False
    return True


def _is_in_match(parts: list[str], pattern: list[str]) -> bool:
    return any(_matches(parts[:end], pattern) for end in range(1, len(parts) + 1))


def _matches(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or (bool(parts) and _matches(parts[1:], pattern))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
