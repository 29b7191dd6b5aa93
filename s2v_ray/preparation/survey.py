"""A look at the sources before they are cut: some are probed, once, for all that is decided by what they are."""

import contextlib
import heapq
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.dataset.splits import name_hash
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.probe import MediaInfo, probe
from s2v_ray.preparation.clip_format import Length
from s2v_ray.preparation.source_file import open_source
from s2v_ray.preparation.sources.packed import PackedSources
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.windows import has_room

# Up to this many sources are all probed, so that each is known to be usable or not; of more, a sample.
MOST_PROBED, _SAMPLE = 60, 24


class Probed(NamedTuple):
    """One of some sources, its row among them, and what it is."""

    row: int
    source: Source
    info: MediaInfo


def probe_some(sources: PackedSources, settings: ClipSettings) -> list[Probed]:
    """What sources are: of up to 60 all that can be read, of more 24, spread by a hash."""
    count = len(sources) if len(sources) <= MOST_PROBED else _SAMPLE
    spread = heapq.nsmallest(count, enumerate(sources.names()), key=lambda each: name_hash(each[1])[:16])
    probed = []
    for index, _ in spread:
        source = sources[index]
        # What is wrong with a file is found again, and recorded, when it is prepared.
        with contextlib.suppress(MediaError), open_source(source, settings) as media:
            probed.append(Probed(index, source, probe(media)))
    return probed


def common_span(source: Source, info: MediaInfo) -> tuple[Fraction, Fraction]:
    """From when to when a source has both picture and sound, in seconds."""
    start, end = max(info.picture_start, info.sound_start), min(info.picture_end, info.sound_end)
    origin = min(info.picture_start, info.sound_start)
    if source.start_seconds is not None:
        start = max(start, origin + source.start_seconds)
    if source.end_seconds is not None:
        end = min(end, origin + source.end_seconds)
    return start, end


def lengths_of(probed: Iterable[Probed]) -> list[Length]:
    """How long and at what rate the probed sources are."""
    lengths = []
    for _, source, info in probed:
        start, end = common_span(source, info)
        lengths.append(Length(end - start, info.frame_rate))
    return lengths


def usable_seconds(probed: Iterable[Probed], settings: ClipSettings) -> dict[str, float]:
    """The seconds of the probed sources that are long enough for clips, by name."""
    spans = {source.name: common_span(source, info) for _, source, info in probed}
    return {name: float(end - start) for name, (start, end) in spans.items() if has_room(start, end, settings)}
