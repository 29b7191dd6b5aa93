"""From the rows of a manifest to files."""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from s2v_ray.errors import UserError
from s2v_ray.preparation.sources.discovery import FoundFiles
from s2v_ray.preparation.sources.manifests.rows import Part, Row, refused
from s2v_ray.storage.files import is_file
from s2v_ray.storage.paths import absolute_path, is_uri, join, parent


def resolve_rows(
    rows: Iterable[Row], files: FoundFiles, manifest: str, *, anywhere: bool = False
) -> Iterator[tuple[Row, Part, str, str]]:
    """Each row with the first of its parts whose file exists, that file's name and its location.

    If none exists, the name is that of the first part and the location is empty. A path is looked up in the folders
    that `files` were found in, then in the manifest's own. With `anywhere`, local paths may lead out of these folders
    (absolute, or with `~` or `..`); such a file is named by its absolute path.

    Raises UserError for other paths outside these folders, and for a file name that exists several times.
    """
    by_base_name = defaultdict(list)
    for name in files.locations:
        by_base_name[posixpath.basename(name)].append(name)
    for row in rows:
        if row.by_path:
            part = row.parts[0]
            roots = [*files.roots, parent(manifest)]
            path = _absolute(part.file, roots) if anywhere else part.file
            if anywhere and path.startswith("/") and not _root_of(path, roots):
                yield row, part, path.lstrip("/"), path if is_file(path) else ""
                continue
            name = _relative(path, roots, row, manifest)
            beside = join(parent(manifest), name)
            yield row, part, name, files.locations.get(name) or (beside if is_file(beside) else "")
            continue
        part = next((part for part in row.parts if part.file in by_base_name), row.parts[0])
        names = by_base_name.get(part.file, [])
        if len(names) > 1:
            detail = f"'{part.file}' exists {len(names)} times, such as '{names[0]}' and '{names[1]}'"
            raise UserError("same_name", f"{manifest}, {row.line}: {detail}; give the folder with the right ones.")
        name = names[0] if names else part.file
        yield row, part, name, files.locations.get(name, "") if names else ""


def _absolute(path: str, roots: list[str]) -> str:
    """A local path with `~` or `..` as an absolute one, in the first of the roots where it exists; others unchanged."""
    if is_uri(path) or not (path.startswith("~") or ".." in path.split("/")):
        return path
    if path.startswith("~"):
        return absolute_path(path, "A path in the manifest")
    candidates = [absolute_path(Path(root) / path, "A path in the manifest") for root in roots if not is_uri(root)]
    return next(filter(is_file, candidates), candidates[-1] if candidates else path)


def _root_of(path: str, roots: list[str]) -> str:
    """The root that an absolute path or URI is in; "" for none."""
    return next((root for root in roots if path.startswith(root.rstrip("/") + "/")), "")


def _relative(path: str, roots: list[str], row: Row, manifest: str) -> str:
    """The path relative to the root that it is in."""
    if ".." in path.split("/"):
        raise refused(manifest, row.line, path, "a path must not contain '..'")
    if path.startswith("/") or is_uri(path):
        inside = _root_of(path, roots)
        if not inside:
            raise refused(manifest, row.line, path, f"an absolute path must be in {' or '.join(roots)}")
        path = path[len(inside) :]
    return posixpath.normpath(path.lstrip("/"))
