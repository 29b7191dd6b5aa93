"""What the page shows of a data set."""

import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from html import escape
from pathlib import Path

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.media.encode import for_aac, write_video
from s2v_ray.storage.files import exists, list_files, read_bytes
from s2v_ray.storage.paths import join

_MOST_LISTED = 100  # of a reason's rejects

Reject = tuple[str, float | None, str]  # source, where the window starts in seconds, and why, in words


def card_text(clips: str) -> str:
    """The card's text, Markdown, without its picture; "" if there is none."""
    path = join(clips, "card.md")
    lines = read_bytes(path).decode(errors="replace").splitlines() if exists(path) else []
    return "\n".join(line for line in lines if not line.startswith("!["))


def contact_sheets(clips: str) -> list[str]:
    """The contact sheets of s2v prepare --preview: their locations."""
    folder = join(clips, "preview")
    return [join(folder, name) for name in list_files(folder) if name.endswith(".png")]


def rejects_by_reason(clips: str) -> dict[str, list[Reject]]:
    """What was left out, by reason, the most frequent first."""
    path, found = join(clips, "rejects.jsonl"), defaultdict(list)
    for line in read_bytes(path).decode(errors="replace").splitlines() if exists(path) else []:
        with suppress(ValueError, KeyError, TypeError):
            values = json.loads(line)
            found[str(values["reason"])].append((str(values["source"]), values["start_seconds"], str(values["detail"])))
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def rejects_page(rejects: dict[str, list[Reject]]) -> str:
    """The same as HTML: a line for each reason, which opens."""
    parts = [
        f"<details><summary><b>{escape(reason.replace('_', ' '))}</b> {len(found):,}</summary>"
        f"<ul>{_listed(found)}</ul></details>"
        for reason, found in rejects.items()
    ]
    return "\n".join(parts) or "<p>Nothing was left out.</p>"


def _listed(found: Sequence[Reject]) -> str:
    lines = [
        f"<li><b>{escape(source)}</b>{'' if start is None else f' at {start:.2f} s'}: {escape(detail)}</li>"
        for source, start, detail in found[:_MOST_LISTED]
    ]
    more = len(found) - len(lines)
    return "".join([*lines, f"<li>and {more:,} more, in <code>rejects.jsonl</code></li>" if more else ""])


def clip_indices(reader: ClipReader) -> dict[str, list[int]]:
    """The indices of each source's clips."""
    found = defaultdict(list)
    for index, source in enumerate(reader.sources):
        found[source].append(index)
    return dict(sorted(found.items()))


def write_clip(reader: ClipReader, index: int, out: Path) -> float:
    """Write a clip as it is stored, with its sound, as a video; returns where it starts in its source, in seconds."""
    clip, settings = reader[index], reader.settings
    even = clip.frames_THWC.shape[1] // 2 * 2
    samples_S, sample_rate = for_aac(clip.wave, settings.sample_rate)
    frames_THWC = clip.frames_THWC[:, :even, :even]
    write_video(out, frames_THWC, samples_S, frame_rate=settings.rate, sample_rate=sample_rate)
    return clip.start_seconds
