"""The data card of a finished data set: text in `card.md`, pictures in `card.png`."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.records import Reject, SourceRecord
from s2v_ray.storage.files import write_bytes, writing
from s2v_ray.storage.paths import Location, join

_Numbers = Sequence[float] | np.ndarray
_BAR, _REJECTED, _TEXT, _PALE = "#5f7396", "#b3703f", "#2b2e33", "#c5c9ce"
_DPI = 110
_MOST_EXAMPLES, _A_ROW = 12, 4
_MOST_NAMES = 20  # of excluded sources
_FOLLOWED = ("camera", "subject")
_UNITS = {
    "loudness_db": "loudness, dB of full scale",
    "motion": "motion",
    "camera_motion": "camera motion",
    "sync_correlation": "correlation of motion and sound",
    "lag_frames": "lag of the sound, frames",
}


def write_card(
    out: Location,
    info: DatasetInfo,
    *,
    records: Iterable[SourceRecord],
    columns: Mapping[str, _Numbers],
    examples: Sequence[np.ndarray] = (),
    excluded: Collection[str] = (),
) -> None:
    """Write `card.png` and then `card.md` to the data set's folder `out`, each complete or not at all.

    `columns` are numbers of each clip by name, NaN where undefined; `examples` are frames of up to 12 clips, uint8 RGB
    [H, W, 3]. Of `excluded` sources only the names are shown.
    """
    records = [replace(record, fingerprint=None) for record in records]  # of all it holds, by far the longest
    rejects = defaultdict(list)
    for record in records:
        for reject in record.rejects:
            rejects[reject.reason].append(reject)
    records = [record for record in records if record.source not in excluded]
    clip_seconds = info.counts.seconds / max(1, info.counts.clips)
    measured: dict[str, _Numbers] = {}
    measured["seconds of clips from a source"] = [record.clips * clip_seconds for record in records if record.clips]
    measured |= {_UNITS.get(name, name.replace("_", " ")): values for name, values in columns.items()}
    measured["shift, stored pixels"] = [record.shift_pixels for record in records if record.shift_pixels is not None]
    by_count = dict(sorted(rejects.items(), key=lambda item: (-len(item[1]), item[0])))
    with writing(join(out, "card.png")) as file:
        # Drawn once: `savefig` would draw it twice, for its layout.
        FigureCanvasAgg(_figure(info, measured, by_count, examples[:_MOST_EXAMPLES])).print_png(file)
    gap_seconds = sum(record.gap_seconds or 0 for record in records)
    write_bytes(
        join(out, "card.md"),
        _text(info, measured, by_count, gap_seconds, _framing(records), _streams(records), sorted(excluded)).encode(),
    )


def _text(
    info: DatasetInfo,
    measured: Mapping[str, _Numbers],
    rejects: Mapping[str, list[Reject]],
    gap_seconds: float,
    framing: str,
    streams: str,
    excluded: Sequence[str],
) -> str:
    sizes = [
        [name, f"{row.sources:,}", f"{row.clips:,}", f"{row.seconds:,.10g}", f"{row.frames:,}"]
        for name, row in {**info.split_counts, "all": info.counts}.items()
    ]
    settings = [
        [name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]
        for name, value in asdict(info.settings).items()
    ]
    parts = [
        f"# {_plain(info.domain)}",
        "![What the data set looks like](card.png)",
        "## How much",
        _table(["split", "sources", "clips", "seconds", "frames"], sizes),
        f"Splits are by {info.split_by}: val and test hold **{info.held_out}**.",
    ]
    if gap_seconds:
        parts.append(f"{gap_seconds:,.10g} seconds are not used, to keep moments of different splits apart.")
    if empty := [name for name, row in info.split_counts.items() if not row.clips]:
        parts.append(f"**No clips in {' and '.join(empty)}.**")
    parts += [
        "## How it was made",
        _table(["setting", "value"], settings),
        *filter(None, [framing, streams]),
        "## What is in it",
        _table(["", "5 %", "median", "95 %", "undefined"], [_summary(*item) for item in measured.items()]),
        "## What was left out",
    ]
    if excluded:
        named = ", ".join(map(_plain, excluded[:_MOST_NAMES])) + (" and others" if len(excluded) > _MOST_NAMES else "")
        parts.append(f"Excluded by hand, in `excluded.json`: {named} ({info.excluded.clips:,} clips).")
    if rejects:
        lines = [[reason, f"{len(found):,}", found[0].source, found[0].detail] for reason, found in rejects.items()]
        parts.append(_table(["reason", "count", "such as", "why"], lines))
        parts.append("All of them, one a line: `rejects.jsonl`.")
    elif not excluded:
        parts.append("Nothing.")
    return "\n\n".join(parts) + "\n"


def _framing(records: Iterable[SourceRecord]) -> str:
    """How many sources were cropped and stabilised, and in which scenes, as a sentence."""
    used = [record for record in records if record.clips]
    cropped = sum(record.crop is not None for record in used)
    modes = Counter(record.stabilized for record in used)
    scenes = Counter(record.scene for record in used if record.scene)
    parts = [f"{cropped:,} of {len(used):,} sources are cropped to a part of the largest square"]
    parts += [f"{count:,} follow the {mode}" for mode, count in sorted(modes.items(), key=str) if mode in _FOLLOWED]
    if scenes:
        named = ", ".join(f"{name} {count:,}" for name, count in sorted(scenes.items()))
        parts.append(f"sources filmed alike share a square and a reference ({named})")
    return "; ".join(parts) + "."


def _streams(records: Iterable[SourceRecord]) -> str:
    """Of how many sources the tracks were chosen, a channel was taken, or times begin anew; "" where of none."""
    used = [record for record in records if record.clips]
    counts = {
        "have several tracks of a kind": sum(bool(record.tracks_taken) for record in used),
        "have channels that cancel, of which the loudest is taken": sum(bool(record.channels_taken) for record in used),
        "have parts with times of their own": sum(bool(record.parts) for record in used),
    }
    parts = [f"{count:,} {what}" for what, count in counts.items() if count]
    return f"Of {len(used):,} sources, {'; '.join(parts)}: `_sources/` says which." if parts else ""


def _summary(name: str, values: _Numbers) -> list[str]:
    defined = _defined(values)
    figures = [f"{figure:.3g}" for figure in np.percentile(defined, [5, 50, 95])] if len(defined) else ["–"] * 3
    return [name, *figures, f"{len(values) - len(defined):,}"]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    """On one line, and with nothing that Markdown would take for markup of a table or a heading."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "\\<")


def _defined(values: _Numbers) -> np.ndarray:
    numbers = np.asarray(values, dtype=float)
    defined: np.ndarray = numbers[np.isfinite(numbers)]
    return defined


def _figure(
    info: DatasetInfo,
    measured: Mapping[str, _Numbers],
    rejects: Mapping[str, list[Reject]],
    examples: Sequence[np.ndarray],
) -> Figure:
    panels = len(measured) + bool(rejects)
    rows = math.ceil(panels / _A_ROW)
    heights = ([1.0] if examples else []) + [1.55] * rows
    figure = Figure((11.0, 0.75 + 1.08 * sum(heights)), dpi=_DPI, facecolor="white", layout="constrained")
    counts = info.counts
    figure.suptitle(
        f"{info.domain}:  {counts.clips:,} clips  ·  {counts.seconds:,.10g} seconds  ·  "
        f"{counts.frames:,} frames  ·  {counts.sources:,} sources",
        x=0.012, ha="left", fontsize=11, color=_TEXT, parse_math=False,
    )  # fmt: skip
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    if examples:
        axes = figure.add_subplot(grid[0])
        axes.imshow(_strip(examples))
        axes.set_axis_off()
    cells = grid[len(heights) - rows :].subgridspec(rows, _A_ROW)
    for index, (name, values) in enumerate(measured.items()):
        _draw_histogram(figure.add_subplot(cells[divmod(index, _A_ROW)]), name, _defined(values))
    if rejects:
        _draw_rejects(figure.add_subplot(cells[divmod(len(measured), _A_ROW)]), rejects)
    return figure


def _strip(examples: Sequence[np.ndarray]) -> np.ndarray:
    """The examples side by side on white, with room for all there may be: one picture is drawn sooner than many."""
    height, width, _ = examples[0].shape
    step = width + max(1, width // 12)
    strip_HWC = np.full((height, _MOST_EXAMPLES * step, 3), 255, np.uint8)
    for index, frame_HWC in enumerate(examples):
        strip_HWC[:, index * step : index * step + width] = frame_HWC
    return strip_HWC


def _draw_histogram(axes: Axes, name: str, values: np.ndarray) -> None:
    if len(values):
        heights, edges = np.histogram(values, bins=min(25, max(7, math.isqrt(len(values)) | 1)))
        axes.stairs(heights, edges, fill=True, color=_BAR)
        axes.axvline(float(np.median(values)), color=_TEXT, linewidth=0.9, linestyle=(0, (3, 2)))
        axes.set_ylim(0, 1.08 * heights.max())
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    else:
        axes.text(0.5, 0.5, "none", ha="center", va="center", fontsize=8, color=_TEXT, transform=axes.transAxes)
        axes.set_yticks([])
        axes.set_xticks([])
    _restrained(axes, name)


def _draw_rejects(axes: Axes, rejects: Mapping[str, list[Reject]]) -> None:
    names, heights = list(rejects)[:8], [len(found) for found in rejects.values()][:8]
    bars = axes.barh(range(len(names)), heights, color=_REJECTED, height=0.62)
    axes.bar_label(bars, padding=3, fontsize=7.5, color=_TEXT)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_ylim(max(len(names), 4) - 0.5, -0.5)
    axes.set_xlim(0, 1.15 * max(heights))
    axes.set_xticks([])
    _restrained(axes, "left out")


def _restrained(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=8.5, color=_TEXT, loc="left", parse_math=False)
    axes.tick_params(labelsize=7, color=_PALE, labelcolor=_TEXT, length=2.5)
    axes.spines[["right", "top"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_PALE)
