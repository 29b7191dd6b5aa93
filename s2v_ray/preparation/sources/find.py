"""Which files to prepare, and what each is called in the data set."""

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Context
from fractions import Fraction
from pathlib import Path, PurePosixPath

from pyarrow import fs

from s2v_ray.dataset.records import Reject
from s2v_ray.dataset.splits import split_by_hash
from s2v_ray.errors import MediaError, UserError
from s2v_ray.preparation.sources.discovery import Files, file_info, list_files, normal_location, parent
from s2v_ray.preparation.sources.manifests import Part, Row, read_manifest
from s2v_ray.preparation.sources.resolve import resolve_rows
from s2v_ray.preparation.sources.select import select_labels
from s2v_ray.storage.files import is_uri

_GRID = re.compile(r"s\d+")  # GRID's folder of one speaker


@dataclass(frozen=True)
class Source:
    """A file, or a part of one, to cut clips from.

    path: where it is: a local path, or a URI of one of pyarrow's file systems.
    name: the file's path relative to the root it was found under, and the part: "a/b.mp4" or "a/b.mp4@12.000-22.000".
    begin_seconds, end_seconds: the part to use, counted from the file's beginning; None is the file's own.
    labels: what is in it, as the manifest says; without one, the folders in its name.
    split: "train", "val" or "test" where the data say so, otherwise "".
    group: sources of one group belong into one split, which a hash of `group` decides where `split` is empty: the
        file's name, the video that several files were cut from, or GRID's speaker.
    """

    path: str
    name: str
    begin_seconds: Fraction | None = None
    end_seconds: Fraction | None = None
    labels: tuple[str, ...] = ()
    split: str = ""
    group: str = ""

    @property
    def key(self) -> str:
        """A file name for what is made of it: readable, and unique by a hash of `name`."""
        readable = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(self.name).stem)[:60]
        return f"{readable}-{hashlib.sha256(self.name.encode()).hexdigest()[:16]}"

    def version(self) -> tuple[int, int]:
        """Size in bytes and time of change in ns, by which a file that was replaced is known.

        Raises MediaError (`no_file`) where the file is gone.
        """
        info = file_info(self.path)
        if info.type != fs.FileType.File:
            raise MediaError("no_file", f"'{self.path}' is no longer there; put it back, or leave it out.")
        return info.size or 0, info.mtime_ns or 0


def find_sources(
    locations: list[str], *, manifest: str = "", manifest_format: str = "", select: tuple[str, ...] = ()
) -> tuple[list[Source], list[Reject]]:
    """What to prepare, sorted by name, and what is missing.

    Without a manifest: all files at `locations` (see `list_files`), whose labels are the folders in their names. GRID
    is known by its layout, `s<speaker>/*.mpg`: a speaker is a group.

    With a manifest (formats in clips/manifests/): the files that its rows name, looked for at `locations`, or beside
    the manifest where there are none. Rows of one file and the same times make one source with the labels of all; so
    do overlapping rows that mark events (UnAV-100, Greatest Hits). A split that it gives is kept. Where it gives train
    but no val, the sources of train whose hash says val (a tenth) become val; of a few sources that may be none.

    Args:
        locations: folders, globs, files and URIs.
        manifest: a local path or URI.
        manifest_format: its format's name; "" detects it from the content.
        select: labels to choose, case aside; () chooses everything.

    Raises UserError for a location that does not exist, a malformed manifest, a label that nothing has, one file in
    two splits, and where nothing is found.
    """
    if manifest:
        sources, missing = _from_manifest(locations, normal_location(manifest), manifest_format, select)
    elif manifest_format:
        raise UserError(f"--manifest-format is '{manifest_format}', but there is no --manifest; give both or neither.")
    else:
        sources, missing = _from_files(locations, select)
    if not sources:
        example = f", such as '{missing[0].source}': {missing[0].detail}" if missing else "; give a folder of videos."
        raise UserError(f"No files to use in {', '.join(map(repr, locations or [manifest]))}{example}")
    sources.sort(key=lambda source: source.name)
    for first, second in itertools.pairwise(sources):
        if first.name == second.name:  # a file may be called like a part of another
            raise UserError(f"'{first.path}' and '{second.path}' are both called '{first.name}'; rename one of them.")
    return sources, sorted(missing, key=lambda reject: reject.source)


def _from_files(locations: list[str], select: tuple[str, ...]) -> tuple[list[Source], list[Reject]]:
    files = list_files(locations)
    sources = [
        Source(path, name, labels=tuple(PurePosixPath(name).parts[:-1]), group=_grid_speaker(path) or name)
        for name, path in files.locations.items()
    ]
    return select_labels(sources, select, " and ".join(locations)), _problems(files)


def _from_manifest(
    locations: list[str], manifest: str, manifest_format: str, select: tuple[str, ...]
) -> tuple[list[Source], list[Reject]]:
    rows = select_labels(read_manifest(manifest, manifest_format), select, manifest)
    if locations or any(not row.by_path for row in rows):
        files = list_files(locations or [parent(manifest)])
    else:
        files = Files({}, [], {})
    missing = _problems(files)
    found: list[tuple[Row, Source]] = []
    for row, part, name, path in resolve_rows(rows, files, manifest):
        if path:
            found.append((row, _source(row, part, name, path)))
        else:
            others = f" (nor {', '.join(other.file for other in row.parts[1:])})" if len(row.parts) > 1 else ""
            detail = f"{manifest}, {row.place} names this file, but it is not there{others}."
            missing.append(Reject(name + _times(part.begin_seconds, part.end_seconds), None, "missing", detail))
    _check_one_split(found, manifest)
    return _with_val(_joined(found)), missing


def _problems(files: Files) -> list[Reject]:
    return [Reject(name, None, "missing", detail) for name, detail in files.problems.items()]


def _grid_speaker(path: str) -> str:
    """The folder of the speaker, or "" for what is not GRID's."""
    file = PurePosixPath(path.partition("?")[0] if is_uri(path) else path)
    if file.suffix.lower() != ".mpg":
        return ""
    return next((folder for folder in reversed(file.parts[:-1]) if _GRID.fullmatch(folder)), "")


def _source(row: Row, part: Part, name: str, path: str) -> Source:
    group = row.group or _grid_speaker(path) or name
    return Source(path, name, part.begin_seconds, part.end_seconds, row.labels, row.split, group)


def _check_one_split(found: Iterable[tuple[Row, Source]], manifest: str) -> None:
    """Raise UserError where one file is in two splits."""
    first: dict[str, Row] = {}
    for row, source in found:
        other = first.setdefault(source.path, row)
        if other.split != row.split:
            raise UserError(
                f"{manifest}, {row.place} has '{source.name}' in split '{row.split or 'none'}', but {other.place} "
                f"has it in '{other.split or 'none'}'; a file's parts must all be in one split."
            )


def _joined(found: list[tuple[Row, Source]]) -> list[Source]:
    """One source for rows that are the same part of the same file, and for overlapping events; named by the part."""
    found.sort(key=lambda pair: (pair[1].path, pair[1].begin_seconds or 0))
    joined: list[Source] = []
    places: dict[tuple[str, Fraction | None, Fraction | None], int] = {}
    for row, source in found:
        last = joined[-1] if joined else None
        if row.event and last and last.path == source.path and _overlap(last, source):
            ends = (last.end_seconds, source.end_seconds)
            end = None if None in ends else max(ends)  # type: ignore[type-var]
            joined[-1] = replace(last, end_seconds=end, labels=_union(last.labels, source.labels))
            continue
        part = (source.path, source.begin_seconds, source.end_seconds)
        place = places.setdefault(part, len(joined))
        if place == len(joined):
            joined.append(source)
        else:
            joined[place] = replace(joined[place], labels=_union(joined[place].labels, source.labels))
    return [replace(source, name=source.name + _times(source.begin_seconds, source.end_seconds)) for source in joined]


def _overlap(earlier: Source, later: Source) -> bool:
    """Whether `later`, which does not begin before `earlier`, begins before its end."""
    return earlier.end_seconds is None or (later.begin_seconds or 0) < earlier.end_seconds


def _union(labels: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(labels + others))


def _times(begin: Fraction | None, end: Fraction | None) -> str:
    """The part as a name shows it: "" for the whole file, "@12.000-22.000", "@12.000-"."""
    return "" if begin is None and end is None else f"@{_decimal(begin)}-{_decimal(end)}"


def _decimal(seconds: Fraction | None) -> str:
    """Exactly, with at least three places: what was read from a decimal is one."""
    if seconds is None:
        return ""
    exact = Context(prec=300).divide(seconds.numerator, seconds.denominator)
    return f"{exact:.3f}" if seconds * 1000 % 1 == 0 else f"{exact:f}"


def _with_val(sources: list[Source]) -> list[Source]:
    """Cut val from train where the data come with train but without val."""
    splits = {source.split for source in sources}
    if "train" not in splits or "val" in splits:
        return sources
    return [
        replace(source, split="val") if source.split == "train" and split_by_hash(source.group) == "val" else source
        for source in sources
    ]
