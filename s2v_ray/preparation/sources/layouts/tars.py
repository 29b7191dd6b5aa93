"""Tars as WebDataset writes them: `KEY.mp4` beside `KEY.json`, `KEY.txt`, `KEY.cls`, many to a file.

What is in a tar is decoded where it lies: a member of an uncompressed one is a run of its bytes. Only members that are
videos by their name, and the small ones that describe them, are ever read.
"""

import json
import tarfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath

from s2v_ray.errors import StoreError
from s2v_ray.preparation.sources.layouts.found import (
    BROKEN,
    VIDEO_SUFFIXES,
    Found,
    folder_labels,
    labels_in,
    real_splits,
    split_of,
)
from s2v_ray.preparation.sources.source import Source
from s2v_ray.storage.files import map_concurrently, open_file, store_errors
from s2v_ray.storage.members import Span
from s2v_ray.storage.paths import is_uri, readable

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
SUFFIXES = (".tar", *_COMPRESSED)
_TEXTS = (".txt", ".cls", ".json")
_MOST_TEXT_BYTES = 2**20


def read(files: Mapping[str, str]) -> Found:
    """The videos in the tars among `files`, which are locations by name."""
    tars = [name for name in files if name.lower().endswith(SUFFIXES)]
    remote = any(is_uri(files[name]) for name in tars)
    parts = map_concurrently(lambda name: _read_tar(name, files[name]), tars, remote=remote)
    found = Found(set(tars))
    found.sources = real_splits(source for part in parts for source in part.sources)
    found.rejects = [reject for part in parts for reject in part.rejects]
    return found


def _read_tar(name: str, path: str) -> Found:
    found = Found()
    if name.lower().endswith(_COMPRESSED):
        detail = "It is compressed, so that no video in it can be reached by itself; decompress it to a .tar."
        found.reject(name, "unreadable", detail)
        return found
    spans: dict[str, Span] = {}
    labels: dict[str, tuple[str, ...]] = defaultdict(tuple)
    members = 0
    try:
        with store_errors(path), open_file(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            size = file.size()
            for member in tar:
                members += 1
                if member.size < 0:  # the next header would be one that was read before, for ever
                    raise tarfile.ReadError(f"a member of {member.size} bytes")
                if not member.isreg() or PurePosixPath(member.name).name.startswith("."):
                    continue
                inner = readable(member.name)
                suffix = PurePosixPath(inner).suffix.lower()
                if suffix in VIDEO_SUFFIXES:
                    _take(found, spans, name, Span(path, inner, member.offset_data, member.size), member, size)
                elif suffix in _TEXTS and member.size <= _MOST_TEXT_BYTES:
                    labels[_key(inner)] += _labels(suffix, file.read_at(member.size, member.offset_data))
    except StoreError:
        raise
    except (tarfile.TarError, EOFError, SystemError, *BROKEN) as error:  # pyarrow's SystemError: of a negative size
        found.reject(name, "unreadable", f"It breaks off or is no tar ({error}); what comes before is used.")
    else:
        if not spans and not found.rejects:
            found.reject(name, "no_video", f"None of its {members} members is a video by its name, such as KEY.mp4.")
    for inner, span in spans.items():
        found.sources.append(
            Source(
                str(span),
                f"{name}/{inner}",
                labels=tuple(dict.fromkeys([*folder_labels(name), *folder_labels(inner), *labels[_key(inner)]])),
                split=split_of(name, of_shard=True),
                group=f"{name}/{_key(inner)}",  # several views of one key show the same moments
                member=span,
            )
        )
    return found


def _take(found: Found, spans: dict[str, Span], tar: str, span: Span, member: tarfile.TarInfo, size_bytes: int) -> None:
    whole = f"{tar}/{span.name}"
    if member.issparse():
        found.reject(whole, "unreadable", "The tar stores it with holes; write the tar without --sparse.")
    elif span.name in spans:
        found.reject(whole, "same_name", "An earlier member of the tar has the same name; rename one of them.")
    elif span.offset_bytes + span.size_bytes > size_bytes:
        found.reject(whole, "unreadable", "The tar breaks off inside it; copy the tar again.")
    else:
        spans[span.name] = span


def _key(name: str) -> str:
    """What members that belong together share: the name up to the first dot of its last part."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def _labels(suffix: str, content: bytes) -> tuple[str, ...]:
    text = content.decode("utf-8", "replace")
    if suffix != ".json":
        return labels_in(text)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(label for value in values.values() for label in labels_in(value)) if isinstance(values, dict) else ()
