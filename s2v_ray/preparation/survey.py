"""A look at the sources before they are cut: some are probed, once, for all that is decided by what they are."""

import contextlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.probe import MediaInfo, probe
from s2v_ray.preparation.clip_format import Length
from s2v_ray.preparation.source_file import open_source
from s2v_ray.preparation.sources.source import Source

# Up to this many sources are all probed, so that each is known to be usable or not; of more, a sample.
MOST_PROBED, _SAMPLE = 60, 24


def probe_some(sources: Sequence[Source], settings: ClipSettings) -> dict[str, MediaInfo]:
    """What the sources are, by name: of up to 60 all that can be read, of more 24, spread by a hash."""
    spread = sorted(sources, key=lambda source: source.key[-16:])
    infos = {}
    for source in spread if len(spread) <= MOST_PROBED else spread[:_SAMPLE]:
        # What is wrong with a file is found again, and recorded, when it is prepared.
        with contextlib.suppress(MediaError), open_source(source, settings) as media:
            infos[source.name] = probe(media)
    return infos


def common_span(source: Source, info: MediaInfo) -> tuple[Fraction, Fraction]:
    """From when to when a source has both picture and sound, in seconds."""
    start, end = max(info.picture_start, info.sound_start), min(info.picture_end, info.sound_end)
    origin = min(info.picture_start, info.sound_start)
    if source.start_seconds is not None:
        start = max(start, origin + source.start_seconds)
    if source.end_seconds is not None:
        end = min(end, origin + source.end_seconds)
    return start, end


def lengths_of(sources: Sequence[Source], infos: Mapping[str, MediaInfo]) -> list[Length]:
    """How long and at what rate the probed sources are."""
    spans = {source.name: common_span(source, infos[source.name]) for source in sources if source.name in infos}
    return [Length(end - start, infos[name].frame_rate) for name, (start, end) in spans.items()]
