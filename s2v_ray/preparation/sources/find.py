"""Which files to prepare, and the name of each in the data set."""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from operator import attrgetter
from pathlib import PurePosixPath

import pyarrow.compute as pc

from s2v_ray.dataset.records import Reject
from s2v_ray.dataset.splits import name_hash
from s2v_ray.errors import UserError
from s2v_ray.preparation.sources.discovery import FoundFiles, find_files
from s2v_ray.preparation.sources.layouts import (
    VIDEO_SUFFIXES,
    Found,
    folder_labels,
    may_have_layout,
    read_layouts,
    split_of,
)
from s2v_ray.preparation.sources.manifests import Row, read_manifest
from s2v_ray.preparation.sources.packed import PackedSources, pack_sources
from s2v_ray.preparation.sources.resolve import resolve_rows
from s2v_ray.preparation.sources.select import select_labels
from s2v_ray.preparation.sources.source import Source, part_name
from s2v_ray.storage.paths import is_uri, parent, readable

_GRID = re.compile(r"s\d+")  # GRID's folder of one speaker
_by_name = attrgetter("name")


def find_sources(
    locations: list[str],
    *,
    manifest: str = "",
    manifest_format: str = "",
    select: tuple[str, ...] = (),
    own_manifest: bool = False,
) -> tuple[PackedSources, list[Reject]]:
    """What to prepare, sorted by name, and the files that are missing or can't be read.

    Without a manifest: all files at `locations` (see `find_files`), labelled by the folders in their names, and the
    videos in data sets of other formats (see `layouts/`) with their labels and splits. If all plain videos lie in
    folders called train, test and the like, these are their splits. GRID is recognised by its layout,
    `s<speaker>/*.mpg`: a speaker is a group.

    With a manifest: the files that its rows name, looked up at `locations`, or beside the manifest if there are none.
    Rows with the same file and times make one source with the labels of all; so do overlapping rows that mark events
    (UnAV-100, Greatest Hits). Splits in the manifest are kept; parts of one file may be in different ones. If it has
    train but no val, a tenth of the groups of train become val, at least one of several.

    Args:
        locations: folders, globs and files: absolute paths or URIs, as `user_location` returns them.
        manifest: the same.
        manifest_format: its format's name; "" detects it from the content.
        select: labels to choose, in any case; () chooses everything.
        own_manifest: whether the user wrote the manifest, so that its paths may lead anywhere.

    Raises UserError for a location that does not exist, a malformed manifest, a label that nothing has, moments of a
    file in two splits, and if nothing is found.
    """
    if manifest:
        sources, missing = _from_manifest(locations, manifest, manifest_format, select, own_manifest)
    elif manifest_format:
        detail = f"--manifest-format is '{manifest_format}', but there is no --manifest"
        raise UserError("missing_setting", f"{detail}; give both or neither.")
    else:
        sources, missing = _from_files(locations, select)
    if not sources:
        counts = ", ".join(f"{count} {reason}" for reason, count in Counter(each.reason for each in missing).items())
        example = f" ({counts}), such as '{missing[0].source}': {missing[0].detail}" if missing else ""
        found = f"No files to use in {', '.join(repr(readable(each)) for each in locations or [manifest])}{example}"
        rule = "" if missing else " (what s2v wrote itself is no source); give a folder of videos."
        raise UserError("no_files", f"{found}{rule}")
    return sources, sorted(missing, key=lambda reject: reject.source)


def _packed(sources: Iterable[Source]) -> PackedSources:
    """Sources that are sorted by name. Raises UserError if two have the same."""
    return pack_sources(_distinct(sources))


def _distinct(sources: Iterable[Source]) -> Iterator[Source]:
    last: Source | None = None
    for source in sources:
        if last and last.name == source.name:  # a file may be called like a part of another
            both = f"'{last.path}' and '{source.path}'"
            raise UserError("same_name", f"{both} are both called '{source.name}'; rename one of them.")
        yield source
        last = source


def _from_files(locations: list[str], select: tuple[str, ...]) -> tuple[PackedSources, list[Reject]]:
    files = find_files(locations)
    found = read_layouts(files.locations) if any(map(may_have_layout, files.names())) else Found()
    chosen = select_labels(_merged(found, files), select, " and ".join(locations))
    return _with_val(_packed(chosen)), _problems(files) + found.rejects


def _merged(found: Found, files: FoundFiles) -> Iterator[Source]:
    """The sources of formats, and each other file as one, sorted by name."""
    videos = (name for name in files.names() if name.lower().endswith(VIDEO_SUFFIXES) and name not in found.names)
    of_videos = {split_of(name) for name in videos}
    has_splits = "" not in of_videos and len(of_videos) > 1  # a README beside the folders changes nothing
    plain = (
        _with_group(Source(path, name, labels=folder_labels(name), split=split_of(name) if has_splits else ""))
        for name, path in files.by_name()
        if name not in found.names
    )
    return heapq.merge(sorted(found.sources, key=_by_name), plain, key=_by_name)


def _from_manifest(
    locations: list[str], manifest: str, manifest_format: str, select: tuple[str, ...], own_manifest: bool
) -> tuple[PackedSources, list[Reject]]:
    rows = list(select_labels(read_manifest(manifest, manifest_format), select, manifest))
    beside = [parent(manifest)] if any(not row.by_path for row in rows) else []
    files = find_files(locations or beside)
    missing = _problems(files)
    found: list[tuple[Row, Source]] = []
    for row, part, name, path in resolve_rows(rows, files, manifest, anywhere=own_manifest):
        if path:
            times = part.start_seconds, part.end_seconds
            source = Source(
                path, name, *times, row.labels, row.split, row.group, crop=row.crop, stabilize=row.stabilize
            )
            source = source if row.group else _with_group(source)
            found.append((row, source))
        else:
            others = f" (nor {', '.join(other.file for other in row.parts[1:])})" if len(row.parts) > 1 else ""
            detail = f"{manifest}, {row.line} names this file, but it is not there{others}."
            missing.append(Reject(part_name(name, part.start_seconds, part.end_seconds), None, "missing", detail))
    _check_splits(found, manifest)
    return _with_val(_packed(sorted(_joined(found), key=_by_name))), missing


def _problems(files: FoundFiles) -> list[Reject]:
    return [Reject(name, None, reason, detail) for name, (reason, detail) in files.problems.items()]


def _with_group(source: Source) -> Source:
    """The group of a source whose manifest says none: GRID's speaker, or its file's name."""
    speaker = _grid_speaker(source.path)
    return replace(source, group=speaker or source.name, file_of_speaker=source.name if speaker else "")


def _grid_speaker(path: str) -> str:
    """The folder of the speaker; "" for a file that is not GRID's."""
    file = path.partition("?")[0] if is_uri(path) else path
    if not file.lower().endswith(".mpg"):
        return ""
    return next((folder for folder in reversed(PurePosixPath(file).parts[:-1]) if _GRID.fullmatch(folder)), "")


def _check_splits(found: Iterable[tuple[Row, Source]], manifest: str) -> None:
    """Raise UserError if two splits have the same moments of a file, or only some of a file's parts have a split."""
    by_file: dict[str, list[tuple[Row, Source]]] = defaultdict(list)
    for row, source in found:
        by_file[source.path].append((row, source))
    for parts in by_file.values():
        last: dict[str, tuple[Row, Source]] = {}  # of each split, the part that ends last
        for row, source in sorted(parts, key=lambda pair: pair[1].interval):
            for split, (other, earlier) in last.items():
                if split == row.split:
                    continue
                if not split or not row.split:
                    rule = "give all parts of a file a split, or none."
                elif source.interval[0] < earlier.interval[1]:
                    rule = "parts of a file in different splits must not overlap."
                else:
                    continue
                splits = f"in split '{row.split or 'none'}', but {other.line} has it in '{split or 'none'}'"
                raise UserError("two_splits", f"{manifest}, {row.line} has '{source.name}' {splits}; {rule}")
            if row.split not in last or source.interval[1] > last[row.split][1].interval[1]:
                last[row.split] = (row, source)


def _joined(found: list[tuple[Row, Source]]) -> list[Source]:
    """One source for rows with the same part of the same file, and for overlapping events; named by the part."""
    found.sort(key=lambda pair: (pair[1].path, pair[1].start_seconds or 0))
    joined: list[Source] = []
    indices: dict[tuple[str, Fraction | None, Fraction | None], int] = {}
    for row, source in found:
        part = (source.path, source.start_seconds, source.end_seconds)
        if row.event and joined and _starts_within(source, joined[-1]):
            index = len(joined) - 1
            ends = (joined[-1].end_seconds, source.end_seconds)
            joined[-1] = replace(joined[-1], end_seconds=None if None in ends else max(ends))  # type: ignore[type-var]
        else:
            index = indices.setdefault(part, len(joined))
        if index == len(joined):
            joined.append(source)
        else:
            labels = tuple(dict.fromkeys(joined[index].labels + source.labels))
            joined[index] = replace(joined[index], labels=labels)
    return [replace(source, name=part_name(source.name, source.start_seconds, source.end_seconds)) for source in joined]


def _starts_within(source: Source, earlier: Source) -> bool:
    end = earlier.end_seconds
    return source.path == earlier.path and (end is None or (source.start_seconds or 0) < end)


def _with_val(sources: PackedSources) -> PackedSources:
    """Take val from train if the data come with train but without val: a tenth of its groups, by their hash."""
    splits = pc.unique(sources.columns("given_split")["given_split"]).to_pylist()
    if "train" not in splits or "val" in splits:
        return sources
    columns = sources.columns("given_split", "group")
    of_train = columns.filter(pc.equal(columns["given_split"], "train"))["group"]
    groups = sorted(pc.unique(of_train).to_pylist(), key=name_hash)
    val = set(groups[: max(1, round(len(groups) / 10))] if len(groups) > 1 else [])
    return pack_sources(
        replace(source, split="val") if source.split == "train" and source.group in val else source
        for source in sources
    )
