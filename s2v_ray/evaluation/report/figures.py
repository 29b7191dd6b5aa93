"""Figures as PNG files: the paper's Figure 2, the motion over time, and the headline scores."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from PIL import Image, ImageOps
from torch import Tensor

from s2v_ray.evaluation.controls import MODEL, ClipVideos
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.evaluation.report.table import controls, signed
from s2v_ray.metrics.loudness import power_in_frames
from s2v_ray.metrics.video_motion import motion_correlation, video_motion_energy
from s2v_ray.storage.files import writing
from s2v_ray.storage.paths import Location
from s2v_ray.training.data.pixels import to_bytes

# The paper's three borders.
GREEN, ORANGE, RED = "#2a9d4a", "#f28c1b", "#d62828"
_SOUND, _INK, _MISMATCHED, _FAINT = "#4a6583", "#333333", "#9aa3ad", "#b9bec4"
_DPI = 150
# The paper's figure shows every 20th frame; longer clips are shown more sparsely so that they fit.
_EVERY, _MOST_COLUMNS = 20, 12
# Figure 2 is laid out in whole pixels, so that a frame's pixels stay square and sharp.
_FRAME, _BORDER, _GAP, _MARGIN = 128, 5, 14, 40
_WAVE_HEIGHT = 150


def figure_2(path: Location, videos: ClipVideos) -> None:
    """Write the paper's Figure 2 as a PNG: the sound over time, and below it the generated video.

    Below the waveform are the input image (green border) and the middle one of every 20 generated frames (orange) over
    the original's (red), each under the moment it shows, enlarged by whole factors without smoothing.
    """
    rows = (("Generated", videos.model, ORANGE), ("Original", videos.real, RED))
    count, frame_rate = len(videos.real), float(videos.frame_rate)
    every = max(_EVERY, -(-count // _MOST_COLUMNS))
    frames = range(min(every, count) // 2, count, every)

    scale = max(1, round(_FRAME / videos.real.shape[-1]))
    panel = videos.real.shape[-1] * scale + 2 * _BORDER
    time_width = max(round(count * (panel + _GAP) / every), panel)
    left = _MARGIN + panel + 2 * _MARGIN
    centres = [left + (frame + 0.5) * time_width / count for frame in frames]
    # A last column close to the end extends beyond it.
    width = max(left + time_width, round(centres[-1] + panel / 2)) + _MARGIN
    rows_height = len(rows) * (panel + _GAP) - _GAP
    rows_bottom = _MARGIN + 16
    wave_bottom = rows_bottom + rows_height + 34
    height = wave_bottom + _WAVE_HEIGHT + 76

    figure = Figure((width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")

    def write(x: float, y: float, text: str, rotation: int = 0) -> None:
        figure.text(x / width, y / height, text, ha="center", va="center", fontsize=8, color=_INK, rotation=rotation)

    sound = figure.add_axes((left / width, wave_bottom / height, time_width / width, _WAVE_HEIGHT / height))
    _draw_wave(sound, videos, time_width)

    middle = rows_bottom + rows_height // 2
    _paste(figure, videos.real[0], scale, GREEN, _MARGIN, middle - panel // 2)
    write(_MARGIN + panel / 2, middle - panel // 2 - 20, "Input image")

    for frame, centre in zip(frames, centres, strict=True):
        link = [wave_bottom / height, (rows_bottom + rows_height + 4) / height]
        figure.add_artist(Line2D([centre / width] * 2, link, color=_FAINT, linewidth=0.8))
        write(centre, rows_bottom - 20, f"{(frame + 0.5) / frame_rate:.2f} s")
    for row, (name, video_TCHW, colour) in enumerate(rows):
        bottom = rows_bottom + rows_height - panel - row * (panel + _GAP)
        write(left - _GAP - 12, bottom + panel / 2, name, rotation=90)
        for frame, centre in zip(frames, centres, strict=True):
            _paste(figure, video_TCHW[frame], scale, colour, round(centre - panel / 2), bottom)
    _save(figure, path)


def motion_curves(path: Location, videos: ClipVideos) -> None:
    """Write a PNG of motion energy over time, and of the sound's loudness (root mean square a frame) beneath.

    The curves are of the real video, of the one generated from its sound and of the one generated from another
    source's sound, each with its motion correlation. Raises ValueError for videos of fewer than three frames.
    """
    frame_rate = float(videos.frame_rate)
    seconds = len(videos.real) / frame_rate

    figure = Figure((7.2, 4.0), dpi=_DPI, facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    motion, loudness = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    curves = [("original", videos.real, _INK, 1.5, 2.0), ("generated, matched sound", videos.model, ORANGE, 1.5, 2.0)]
    curves += [("generated, mismatched sound", video, _MISMATCHED, 1.1, 1.5) for video in videos.mismatched[:1]]
    for label, video_TCHW, colour, linewidth, zorder in curves:
        if video_TCHW is not videos.real:
            label += f" (r = {signed(motion_correlation(video_TCHW, videos.real))})"
        energy = video_motion_energy(video_TCHW)
        times = np.arange(1, len(energy) + 1) / frame_rate
        motion.plot(times, energy, label=label, color=colour, linewidth=linewidth, zorder=zorder)
    motion.set(ylabel="motion energy", ylim=(0, None))
    motion.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=7.5, frameon=False, labelcolor=_INK, borderpad=0.2
    )

    rms = np.sqrt(power_in_frames(videos.clip.wave, len(videos.real)))
    loudness.stairs(rms, np.linspace(0, seconds, len(rms) + 1), fill=True, color=_SOUND)
    loudness.set(ylabel="loudness", xlabel="time (s)", ylim=(0, max(1.05 * rms.max(), 0.01)))
    for axes in (motion, loudness):
        axes.set_xlim(0, seconds)
        _restrain(axes, "top", "right")
    figure.align_ylabels()
    _save(figure, path)


def headline_figure(path: Location, report: Report) -> None:
    """Write a PNG of the two headlines, the model's beside its controls', with intervals over sources."""
    shown = controls(report)[::-1]
    size = (7.2, 0.6 + 0.3 * len(shown))
    figure = Figure(size, dpi=_DPI, facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    for axes, name in zip(figure.subplots(1, 2, sharey=True), ("motion_correlation", "motion_explained"), strict=True):
        for row, control in enumerate(shown):
            score = report.score(name, control)
            if score is None:
                continue
            colour = ORANGE if control == MODEL else _MISMATCHED
            ends = [score.mean if end is None else end for end in (score.low, score.high)]
            axes.plot(ends, [row, row], color=colour, linewidth=4, solid_capstyle="round", alpha=0.5)
            axes.plot(score.mean, row, "o", color=colour, markersize=6)
            above = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "fontsize": 7}
            axes.annotate(signed(score.mean), (score.mean, row), **above)
        axes.set_yticks(range(len(shown)), shown)
        axes.set_ylim(-0.6, len(shown) - 0.3)
        axes.axvline(0, color=_FAINT, linewidth=0.8, zorder=0)
        axes.set_title(name.replace("_", " "), fontsize=9, color=_INK, loc="left")
        _restrain(axes, "top", "right", "left")
    _save(figure, path)


def _draw_wave(axes: Axes, videos: ClipVideos, pixels: int) -> None:
    # The highest and lowest sample of every pixel's time: what a line of all samples would cover.
    wave = videos.sound.double().numpy()
    starts = np.unique(np.linspace(0, len(wave), pixels, endpoint=False).astype(int))
    low, high = np.minimum.reduceat(wave, starts), np.maximum.reduceat(wave, starts)
    axes.axhline(0, color=_FAINT, linewidth=0.5, zorder=0)
    axes.fill_between(starts / videos.sample_rate, low, high, color=_SOUND, linewidth=0.5)
    axes.set(xlim=(0, len(videos.real) / float(videos.frame_rate)), ylim=(-1, 1), yticks=[-1, 0, 1])
    axes.set(ylabel="Input sound", xlabel="time (s)")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    _restrain(axes, "right")


def _paste(figure: Figure, image_CHW: Tensor, scale: int, colour: str, x: int, y: int) -> None:
    # Pixel for pixel, with its lower left corner at (x, y) pixels: an Axes would resample.
    image = ImageOps.scale(Image.fromarray(to_bytes(image_CHW).numpy()), scale, Image.Resampling.NEAREST)
    figure.figimage(np.asarray(ImageOps.expand(image, _BORDER, colour)), xo=x, yo=y, origin="upper")


def _restrain(axes: Axes, *hidden_sides: str) -> None:
    axes.tick_params(labelsize=7.5, length=3, color=_FAINT, labelcolor=_INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=8, color=_INK)
    for side, spine in axes.spines.items():
        spine.set(color=_FAINT, linewidth=0.8, visible=side not in hidden_sides)


def _save(figure: Figure, path: Location) -> None:
    with writing(path) as file:
        FigureCanvasAgg(figure).print_png(file)  # `savefig` would draw it twice, for its layout
