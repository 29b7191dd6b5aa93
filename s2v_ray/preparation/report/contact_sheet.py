"""A contact sheet of a source, from a quick look: what it shows and sounds like, and what would be cut from it."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.limits import Budget
from s2v_ray.media.decoding.probe import probe
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.preparation.plan import SourceTask, source_crop, source_starts
from s2v_ray.preparation.report.scan import PICTURE_GLIMPSES, Glimpse, look, time_text
from s2v_ray.storage.files import writing
from s2v_ray.storage.paths import Location, join

CROP_COLOUR, WINDOW_COLOUR = "#ff6b1a", "#1f9d8b"
_SOUND_COLOUR, _MOTION_COLOUR, _WARNING_COLOUR, _TEXT, _PALE = "#5f7396", "#3d4248", "#b3201b", "#2b2e33", "#c5c9ce"

_DPI = 110
_WIDTH, _LEFT, _RIGHT, _SPACE = 11.0, 0.62, 0.2, 0.05  # inches
_CURVE_HEIGHT, _TITLE_HEIGHT, _LABEL_HEIGHT, _AXIS_HEIGHT = 0.95, 0.62, 0.24, 0.42


def preview_source(job: SourceTask) -> int:
    """Draw the contact sheet of one source into the data set's folder `preview`; returns how many it drew.

    What keeps the source from being used stands on the sheet; a source that has no picture gets none.
    """
    if job.failure:
        return 0
    starts: list[Fraction] = []
    crop, warnings = None, []
    try:
        starts = source_starts(job.source, probe(job.source.path, Budget(job.settings.limits)), job.settings)
        crop = source_crop(job.source.path, starts, job.settings)
    except MediaError as error:
        warnings = [str(error)]
    try:
        draw_preview(
            job.source.path,
            join(job.out, "preview", f"{job.source.key}.png"),
            source_name=job.source.name,
            starts=starts,
            clip_seconds=job.settings.seconds,
            crop=crop,
            warnings=warnings,
        )
    except MediaError:
        return 0  # prepare tells why
    return 1


def draw_preview(
    path: str | Path,
    out_png: Location,
    *,
    source_name: str,
    starts: Sequence[Fraction],
    clip_seconds: Fraction,
    crop: Crop | None = None,
    warnings: Sequence[str] = (),
) -> list[str]:
    """Write a contact sheet of the video `path` as a PNG, and return the warnings on it: `warnings` and those found.

    It shows frames over the whole source with the crop on them, and below, on one time axis, the waveform, the
    motion, and the windows of `clip_seconds` at `starts` (seconds). `crop` None is the
    centred square. A long source is looked at here and there, not decoded through.

    Raises MediaError `not_found`, `unreadable`, `no_video` or `undecodable_video`.
    """
    glimpse = look(path)
    told = [*warnings, *glimpse.warnings] + ([] if starts or warnings else ["No windows would be cut."])
    columns = min(12, max(8, round(9 * glimpse.height / glimpse.width + 3)))
    panel_width = (_WIDTH - _LEFT - _RIGHT) / columns
    panel_height = (panel_width - _SPACE) * glimpse.height / glimpse.width
    height = _TITLE_HEIGHT + 0.2 * len(told) + panel_height + _LABEL_HEIGHT + 2 * _CURVE_HEIGHT + _AXIS_HEIGHT + 0.25
    figure = Figure((_WIDTH, height), dpi=_DPI, facecolor="white")

    def write(x: float, from_top: float, text: str, **style: object) -> None:
        style = {"fontsize": 8, "color": _TEXT, "va": "center", "parse_math": False} | style
        figure.text(x / _WIDTH, 1 - from_top / height, text, **style)  # type: ignore[arg-type]

    def panel(x: float, from_top: float, width: float, high: float) -> Axes:
        return figure.add_axes((x / _WIDTH, 1 - (from_top + high) / height, width / _WIDTH, high / height))

    crop = crop or _centred(glimpse.width, glimpse.height)
    write(_LEFT, 0.2, source_name, fontsize=11, weight="bold")
    write(_LEFT, 0.43, glimpse.measures)
    write(_WIDTH - _RIGHT, 0.2, f"crop {crop.size} × {crop.size} at {crop.x}, {crop.y}", color=CROP_COLOUR, ha="right")
    windows = f"{len(starts)} {'window' if len(starts) == 1 else 'windows'} of {float(clip_seconds):g} s"
    write(_WIDTH - _RIGHT, 0.43, windows, color=WINDOW_COLOUR, ha="right")
    for line, warning in enumerate(told):
        write(_LEFT, _TITLE_HEIGHT + 0.2 * line + 0.02, f"▲ {warning}", color=_WARNING_COLOUR)

    top = _TITLE_HEIGHT + 0.2 * len(told)
    for column in range(columns):
        middle = (column + 0.5) / columns * glimpse.end_seconds
        seconds, picture_HWC = min(glimpse.pictures, key=lambda pair: abs(pair[0] - middle))
        x = _LEFT + column * panel_width
        _draw_picture(panel(x, top, panel_width - _SPACE, panel_height), picture_HWC, crop, glimpse)
        label = time_text(max(seconds, 0.0), hundredths=glimpse.end_seconds < 100)
        write(x + (panel_width - _SPACE) / 2, top + panel_height + 0.11, label, ha="center", fontsize=7)
    top += panel_height + _LABEL_HEIGHT
    curves_width = _WIDTH - _LEFT - _RIGHT - _SPACE
    sound = panel(_LEFT, top, curves_width, _CURVE_HEIGHT)
    motion = panel(_LEFT, top + _CURVE_HEIGHT + 0.1, curves_width, _CURVE_HEIGHT)
    _draw_sound(sound, glimpse)
    _draw_motion(motion, glimpse)
    for axes in (sound, motion):
        _draw_windows(axes, starts, clip_seconds)
        _plain(axes, glimpse.end_seconds)
    sound.tick_params(labelbottom=False)
    motion.set_xlabel("seconds", fontsize=7.5, color=_TEXT)
    with writing(out_png) as file:
        FigureCanvasAgg(figure).print_png(file)
    return told


def _draw_picture(axes: Axes, picture_HWC: np.ndarray, crop: Crop, glimpse: Glimpse) -> None:
    axes.imshow(picture_HWC, extent=(0, glimpse.width, glimpse.height, 0), aspect="auto", interpolation="antialiased")
    line = glimpse.width * 0.012
    corner, side = (crop.x + line / 2, crop.y + line / 2), crop.size - line  # the line lies inside
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=CROP_COLOUR, linewidth=1.6))
    axes.set_xlim(0, glimpse.width)
    axes.set_ylim(glimpse.height, 0)
    axes.set_axis_off()


def _draw_sound(axes: Axes, glimpse: Glimpse) -> None:
    edges = np.linspace(0, glimpse.end_seconds, len(glimpse.peaks) + 1)
    # Each bin is drawn at least a hair high, so that silence differs from no sound.
    low, high = np.minimum(glimpse.peaks[:, 0], -0.01), np.maximum(glimpse.peaks[:, 1], 0.01)
    axes.stairs(high, edges, baseline=low, fill=True, color=_SOUND_COLOUR)
    loudest = np.nanmax(np.abs(glimpse.peaks), initial=0.1)
    axes.set_ylim(-1.05 * loudest, 1.05 * loudest)
    axes.set_ylabel("sound", fontsize=7.5, color=_TEXT)


def _draw_motion(axes: Axes, glimpse: Glimpse) -> None:
    sparse = len(glimpse.motion) <= PICTURE_GLIMPSES
    seconds, changes = np.array(glimpse.motion or [(0.0, 0.0)]).T
    axes.plot(seconds, changes, color=_MOTION_COLOUR, linewidth=0.9, marker="o" if sparse else None, markersize=2.5)
    axes.set_ylim(0, max(1.08 * changes.max(), 1.0))
    axes.set_ylabel("motion", fontsize=7.5, color=_TEXT)


def _draw_windows(axes: Axes, starts: Sequence[Fraction], clip_seconds: Fraction) -> None:
    for start in starts:
        axes.axvspan(float(start), float(start + clip_seconds), color=WINDOW_COLOUR, alpha=0.12, linewidth=0, zorder=0)
        axes.axvline(float(start), color=WINDOW_COLOUR, linewidth=1.1, zorder=1)


def _plain(axes: Axes, end_seconds: float) -> None:
    axes.set_xlim(0, end_seconds)
    axes.set_yticks([])
    axes.tick_params(labelsize=7, color=_PALE, labelcolor=_TEXT, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_PALE)


def _centred(width: int, height: int) -> Crop:
    size = min(width, height)
    return Crop((width - size) // 2, (height - size) // 2, size)
