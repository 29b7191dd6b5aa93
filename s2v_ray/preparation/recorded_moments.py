"""New sources that may show what is recorded already, as another part of the same video: they must share its split."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from s2v_ray.dataset.records import SourceRecord
from s2v_ray.errors import UserError
from s2v_ray.preparation.blocks import GAP_SECONDS
from s2v_ray.preparation.sources.source import Source


def recorded_units(
    sources: Sequence[Source], units: Mapping[str, str], records: Mapping[str, SourceRecord]
) -> dict[str, tuple[str, str]]:
    """The unit and the split that recorded sources impose on those without clips, by the names of these.

    `units` are those that the sources would have otherwise; if one of a unit shows recorded moments, or ones less than
    the gap away, all of it counts. Sources that come with a split keep it.
    Raises UserError `two_splits` if what is recorded is in several splits, or in another than the one that comes with a
    source that overlaps it.
    """
    with_clips = [record for record in records.values() if record.clips]
    new: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        if source.name in records and records[source.name].clips:
            continue
        if source.split:
            overlapped = [record for record in with_clips if _is_near(source, record, 0)]
            _check(source, overlapped, {source.split})
        else:
            new[units[source.name]].append(source)
    imposed: dict[str, tuple[str, str]] = {}
    for unit_sources in new.values():
        near: dict[str, SourceRecord] = {}
        for source in unit_sources:
            found = [record for record in with_clips if _is_near(source, record, GAP_SECONDS)]
            found += [record for record in with_clips if _is_other_cut(source, record)]
            near |= {record.source: record for record in found}
        if near:
            first = near[min(near)]
            split = next(iter(first.split_clips))
            _check(unit_sources[0], list(near.values()), {split})
            imposed |= {source.name: (first.unit or first.source, split) for source in unit_sources}
    return imposed


def _check(source: Source, near: Sequence[SourceRecord], splits: set[str]) -> None:
    for record in near:
        if record.split_clips.keys() != splits:
            own, others = " and ".join(splits), " and ".join(record.split_clips)
            shows = f"'{source.name}' may show moments of '{record.source}', of which clips are in {others}"
            rule = "the same moments must not be in two splits"
            raise UserError(
                "two_splits",
                f"{shows}{f', and would be in {own}' if source.split else ''}; {rule}: leave it out, or give another "
                "--out.",
            )


def _is_near(source: Source, record: SourceRecord, gap_seconds: float) -> bool:
    """Whether both are parts of one file that overlap, or are less than the gap apart."""
    start, end = source.interval
    recorded_start, recorded_end = _interval(record.source)
    is_apart = end + gap_seconds <= recorded_start or recorded_end + gap_seconds <= start
    return record.path == source.path and not is_apart


def _is_other_cut(source: Source, record: SourceRecord) -> bool:
    """Whether both are files that were cut from one video, when is not known."""
    return record.path != source.path and record.group == source.recording


def _interval(name: str) -> tuple[float, float]:
    """The part of the file that a source's name says, in seconds: all of it where it says none."""
    part = re.search(r"@([\d.]*)-([\d.]*)$", name)
    start, end = part.groups() if part else ("", "")
    return float(start or 0), float(end or math.inf)
