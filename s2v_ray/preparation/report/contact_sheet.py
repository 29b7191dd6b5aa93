"""A contact sheet of a source, from a quick scan: what it shows and sounds like, and what would be cut from it."""

import contextlib
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import probe
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.preparation.framing.framing import Framing, in_words
from s2v_ray.preparation.plan import SourceTask, source_windows
from s2v_ray.preparation.prepare import source_framing
from s2v_ray.preparation.report.scan import VIDEO_SAMPLES, Scan, scan_source, time_text
from s2v_ray.preparation.source_file import open_source, source_faults
from s2v_ray.storage.files import writing
from s2v_ray.storage.paths import Location, join

CROP_COLOUR, WINDOW_COLOUR = "#ff6b1a", "#1f9d8b"
_SOUND_COLOUR, _MOTION_COLOUR, _WARNING_COLOUR, _TEXT, _PALE = "#5f7396", "#3d4248", "#b3201b", "#2b2e33", "#c5c9ce"

_DPI = 110
_WIDTH, _LEFT, _RIGHT, _SPACE = 11.0, 0.62, 0.2, 0.05  # inches
_CURVE_HEIGHT, _TITLE_HEIGHT, _LABEL_HEIGHT, _AXIS_HEIGHT = 0.95, 0.62, 0.24, 0.42


def preview_source(task: SourceTask) -> int:
    """Draw the contact sheet of one source into the data set's folder `preview`; returns how many it drew.

    What keeps the source from being used is written on the sheet; a source without a video stream gets none.
    """
    if task.failure:
        return 0
    source, settings = task.source, task.settings
    out_png = join(task.out, "preview", f"{source.key}.png")
    starts: list[Fraction] = []
    framing, warnings = Framing(None), []
    with contextlib.suppress(MediaError), open_source(source, settings) as media:  # prepare records why
        try:
            with source_faults(source):
                info = probe(media)
                starts = list(source_windows(task, info).splits)
                framing = source_framing(media, starts, info, task)
        except MediaError as error:
            warnings = [str(error)]
        draw_preview(
            media, out_png, source.name, starts, settings.seconds,
            crop=framing.crop, stabilisation=in_words(framing), warnings=warnings,
        )  # fmt: skip
        return 1
    return 0


def draw_preview(
    media: MediaFile,
    out_png: Location,
    source_name: str,
    starts: Sequence[Fraction],
    clip_seconds: Fraction,
    *,
    crop: Crop | None = None,
    stabilisation: str = "",
    warnings: Sequence[str] = (),
) -> list[str]:
    """Write a contact sheet of a video as a PNG, and return the warnings on it: `warnings` and those found.

    It shows frames from all over the source with the crop on them, and below, on one time axis, the waveform, the
    motion, and the windows of `clip_seconds` at `starts` (seconds). `crop` None is the centred square.
    `stabilisation` says how the square follows what it shows. A long source is sampled here and there, not decoded in
    full.

    Raises MediaError `not_found`, `unreadable`, `no_video` or `undecodable_video`.
    """
    scan = scan_source(media)
    all_warnings = [*warnings, *scan.warnings] + ([] if starts or warnings else ["No windows would be cut."])
    columns = min(12, max(8, round(9 * scan.height / scan.width + 3)))
    panel_width = (_WIDTH - _LEFT - _RIGHT) / columns
    panel_height = (panel_width - _SPACE) * scan.height / scan.width
    height = (
        _TITLE_HEIGHT + 0.2 * len(all_warnings) + panel_height + _LABEL_HEIGHT + 2 * _CURVE_HEIGHT + _AXIS_HEIGHT + 0.25
    )
    figure = Figure((_WIDTH, height), dpi=_DPI, facecolor="white")

    def write(x: float, from_top: float, text: str, **style: object) -> None:
        style = {"fontsize": 8, "color": _TEXT, "va": "center", "parse_math": False} | style
        figure.text(x / _WIDTH, 1 - from_top / height, text, **style)  # type: ignore[arg-type]

    def panel(x: float, from_top: float, width: float, high: float) -> Axes:
        return figure.add_axes((x / _WIDTH, 1 - (from_top + high) / height, width / _WIDTH, high / height))

    side = min(scan.width, scan.height)
    crop = crop or Crop((scan.width - side) // 2, (scan.height - side) // 2, side)
    write(_LEFT, 0.2, source_name, fontsize=11, weight="bold")
    write(_LEFT, 0.43, scan.description)
    cut = "  ·  ".join([f"crop {crop.size} × {crop.size} at {crop.x}, {crop.y}", *filter(None, [stabilisation])])
    write(_WIDTH - _RIGHT, 0.2, cut, color=CROP_COLOUR, ha="right")
    windows = f"{len(starts)} {'window' if len(starts) == 1 else 'windows'} of {float(clip_seconds):g} s"
    write(_WIDTH - _RIGHT, 0.43, windows, color=WINDOW_COLOUR, ha="right")
    for line, warning in enumerate(all_warnings):
        write(_LEFT, _TITLE_HEIGHT + 0.2 * line + 0.02, f"▲ {warning}", color=_WARNING_COLOUR)

    top = _TITLE_HEIGHT + 0.2 * len(all_warnings)
    for column in range(columns):
        middle = (column + 0.5) / columns * scan.end_seconds
        seconds, frame_HWC = min(scan.frames, key=lambda pair: abs(pair[0] - middle))
        x = _LEFT + column * panel_width
        _draw_frame(panel(x, top, panel_width - _SPACE, panel_height), frame_HWC, crop, scan)
        label = time_text(max(seconds, 0.0), hundredths=scan.end_seconds < 100)
        write(x + (panel_width - _SPACE) / 2, top + panel_height + 0.11, label, ha="center", fontsize=7)
    top += panel_height + _LABEL_HEIGHT
    curves_width = _WIDTH - _LEFT - _RIGHT - _SPACE
    sound = panel(_LEFT, top, curves_width, _CURVE_HEIGHT)
    motion = panel(_LEFT, top + _CURVE_HEIGHT + 0.1, curves_width, _CURVE_HEIGHT)
    _draw_sound(sound, scan)
    _draw_motion(motion, scan)
    for axes, name in ((sound, "sound"), (motion, "motion")):
        for start in map(float, starts):
            end = start + float(clip_seconds)
            axes.axvspan(start, end, color=WINDOW_COLOUR, alpha=0.12, linewidth=0, zorder=0)
            axes.axvline(start, color=WINDOW_COLOUR, linewidth=1.1, zorder=1)
        axes.set_xlim(0, scan.end_seconds)
        axes.set_yticks([])
        axes.set_ylabel(name, fontsize=7.5, color=_TEXT)
        axes.tick_params(labelsize=7, color=_PALE, labelcolor=_TEXT, length=3)
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.spines["bottom"].set_color(_PALE)
    sound.tick_params(labelbottom=False)
    motion.set_xlabel("seconds", fontsize=7.5, color=_TEXT)
    with writing(out_png) as file:
        figure.savefig(file, format="png")
    return all_warnings


def _draw_frame(axes: Axes, frame_HWC: np.ndarray, crop: Crop, scan: Scan) -> None:
    axes.imshow(frame_HWC, extent=(0, scan.width, scan.height, 0), aspect="auto", interpolation="antialiased")
    line = scan.width * 0.012
    corner, side = (crop.x + line / 2, crop.y + line / 2), crop.size - line  # the line lies inside
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=CROP_COLOUR, linewidth=1.6))
    axes.set_xlim(0, scan.width)
    axes.set_ylim(scan.height, 0)
    axes.set_axis_off()


def _draw_sound(axes: Axes, scan: Scan) -> None:
    edges = np.linspace(0, scan.end_seconds, len(scan.peaks) + 1)
    # Each bin is drawn at least a hair high, so that silence differs from no sound.
    low, high = np.minimum(scan.peaks[:, 0], -0.01), np.maximum(scan.peaks[:, 1], 0.01)
    axes.stairs(high, edges, baseline=low, fill=True, color=_SOUND_COLOUR)
    loudest = np.nanmax(np.abs(scan.peaks), initial=0.1)
    axes.set_ylim(-1.05 * loudest, 1.05 * loudest)


def _draw_motion(axes: Axes, scan: Scan) -> None:
    sparse = len(scan.motion) <= VIDEO_SAMPLES
    seconds, changes = np.array(scan.motion or [(0.0, 0.0)]).T
    axes.plot(seconds, changes, color=_MOTION_COLOUR, linewidth=0.9, marker="o" if sparse else None, markersize=2.5)
    axes.set_ylim(0, max(1.08 * changes.max(), 1.0))
