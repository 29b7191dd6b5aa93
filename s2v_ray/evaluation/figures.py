"""Pictures for people: the paper's Figure 2, and how the motion follows the sound."""

from fractions import Fraction
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from torch import Tensor

from s2v_ray.evaluation.table import controls, signed
from s2v_ray.metrics.checks import checked_pair, checked_video
from s2v_ray.metrics.video_motion import motion_correlation, video_motion_energy
from s2v_ray.storage.files import writing
from s2v_ray.storage.paths import Location

# The paper's three borders.
GREEN, ORANGE, RED = "#2a9d4a", "#f28c1b", "#d62828"
_SOUND, _INK, _WRONG, _FAINT = "#4a6583", "#333333", "#9aa3ad", "#b9bec4"
_DPI = 150
# Figure 2 is laid out in whole pixels, so that a frame's pixels stay square and sharp.
_FRAME, _BORDER, _GAP, _MARGIN = 128, 5, 14, 40
_WAVE_HEIGHT = 150
# Agg draws at most 2^16 pixels a side; a figure far narrower is hard to look at already.
_MOST_COLUMNS = 64


def figure_2(
    path: Location,
    *,
    wave_S: Tensor,
    sample_rate: int,
    picture_CHW: Tensor,
    generated_TCHW: Tensor,
    real_TCHW: Tensor | None,
    frame_rate: Fraction,
    every: int = 20,
    title: str | None = None,
) -> None:
    """Write the paper's Figure 2 as a PNG: the sound over time, and below it the video that it made.

    The waveform, in [-1, 1] over seconds, stands on top; below it the input picture (green border) and the
    middle one of every `every` generated frames (orange) over the original's (red; left out where `real_TCHW` is
    None), each under the moment it shows. Pictures are RGB or grey, float in [-1, 1], and enlarged by whole
    factors without smoothing. Raises ValueError for other shapes or values, a sound that differs from the video
    by more than a frame, and for an `every` below 1 or that gives more than 64 columns.
    """
    if real_TCHW is None:
        generated_TCHW = checked_video("generated_TCHW", generated_TCHW)
        videos = [("Generated", generated_TCHW, ORANGE)]
    else:
        generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
        videos = [("Generated", generated_TCHW, ORANGE), ("Original", real_TCHW, RED)]
    picture_CHW = checked_video("picture_CHW", picture_CHW[None])[0]
    if picture_CHW.shape != generated_TCHW.shape[1:] or len(picture_CHW) not in (1, 3):
        shapes = f"{tuple(picture_CHW.shape)} and {tuple(generated_TCHW.shape)}"
        raise ValueError(f"picture_CHW and generated_TCHW have shapes {shapes}; both must be alike, grey or RGB.")
    _check_sound(wave_S, sample_rate, len(generated_TCHW), frame_rate)
    if every < 1:
        raise ValueError(f"every is {every}; it must be at least 1.")
    frames = list(range(min(every, len(generated_TCHW)) // 2, len(generated_TCHW), every))
    if len(frames) > _MOST_COLUMNS:
        raise ValueError(f"every is {every}, which gives {len(frames)} columns; at most {_MOST_COLUMNS} fit.")

    scale = max(1, round(_FRAME / max(picture_CHW.shape[1:])))
    panel_height, panel_width = (side * scale + 2 * _BORDER for side in picture_CHW.shape[1:])
    time_width = max(round(len(generated_TCHW) * (panel_width + _GAP) / every), panel_width)
    left = _MARGIN + panel_width + 2 * _MARGIN
    centres = [left + (frame + 0.5) * time_width / len(generated_TCHW) for frame in frames]
    # A last column close to the end stands out over it.
    width = max(left + time_width, round(centres[-1] + panel_width / 2)) + _MARGIN
    rows_height = len(videos) * (panel_height + _GAP) - _GAP
    rows_bottom = _MARGIN + 16
    wave_bottom = rows_bottom + rows_height + 34
    height = wave_bottom + _WAVE_HEIGHT + (116 if title else 76)

    figure = Figure((width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")

    def write(x: float, y: float, text: str, **style: object) -> None:
        style = {"ha": "center", "va": "center", "fontsize": 8, "color": _INK, "parse_math": False} | style
        figure.text(x / width, y / height, text, **style)  # type: ignore[arg-type]

    sound = figure.add_axes((left / width, wave_bottom / height, time_width / width, _WAVE_HEIGHT / height))
    _draw_wave(sound, wave_S, sample_rate, len(generated_TCHW) / float(frame_rate), time_width)
    if title:
        write(_MARGIN, height - 32, title, ha="left", fontsize=10)

    middle = rows_bottom + rows_height // 2
    _paste(figure, picture_CHW, scale, GREEN, _MARGIN, middle - panel_height // 2)
    write(_MARGIN + panel_width / 2, middle - panel_height // 2 - 20, "Input picture")

    for frame, centre in zip(frames, centres, strict=True):
        link = [wave_bottom / height, (rows_bottom + rows_height + 4) / height]
        figure.add_artist(Line2D([centre / width] * 2, link, color=_FAINT, linewidth=0.8))
        write(centre, rows_bottom - 20, f"{(frame + 0.5) / float(frame_rate):.2f} s")
    for row, (name, video_TCHW, colour) in enumerate(videos):
        bottom = rows_bottom + rows_height - panel_height - row * (panel_height + _GAP)
        write(left - _GAP - 12, bottom + panel_height / 2, name, rotation=90)
        for frame, centre in zip(frames, centres, strict=True):
            _paste(figure, video_TCHW[frame], scale, colour, round(centre - panel_width / 2), bottom)
    _save(figure, path)


def motion_curves(
    path: Location,
    *,
    wave_S: Tensor,
    sample_rate: int,
    real_TCHW: Tensor,
    matched_TCHW: Tensor,
    mismatched_TCHW: Tensor,
    frame_rate: Fraction,
    title: str | None = None,
) -> None:
    """Write a PNG of motion energy over time, and of the sound's loudness (root mean square a frame) beneath.

    The curves are those of the real video, of the one generated from its sound and of the one generated from
    another clip's, each with its motion correlation. Videos [T, C, H, W] float in [-1, 1] of one shape, T >= 3,
    and a sound as long. Raises ValueError for any other input.
    """
    right, wrong = motion_correlation(matched_TCHW, real_TCHW), motion_correlation(mismatched_TCHW, real_TCHW)
    _check_sound(wave_S, sample_rate, len(real_TCHW), frame_rate)
    seconds = len(real_TCHW) / float(frame_rate)

    figure = Figure((7.2, 4.0), dpi=_DPI, facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    motion, loudness = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for video, label, style in (
        (real_TCHW, "original", {"color": _INK, "linewidth": 1.5}),
        (matched_TCHW, f"generated, matched sound (r = {signed(right)})", {"color": ORANGE, "linewidth": 1.5}),
        (
            mismatched_TCHW,
            f"generated, mismatched sound (r = {signed(wrong)})",
            {"color": _WRONG, "linewidth": 1.1, "zorder": 1.5},
        ),
    ):
        energy = video_motion_energy(video)
        motion.plot(np.arange(1, len(energy) + 1) / float(frame_rate), energy, label=label, **style)
    motion.set_ylim(bottom=0)
    motion.set_ylabel("motion energy", fontsize=8, color=_INK)
    motion.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=7.5, frameon=False, labelcolor=_INK, borderpad=0.2
    )

    wave = wave_S.detach().to("cpu", torch.float64).numpy()
    frames = np.array_split(wave, len(real_TCHW))
    rms = np.array([np.sqrt(np.mean(frame**2)) for frame in frames])
    loudness.stairs(rms, np.linspace(0, seconds, len(rms) + 1), fill=True, color=_SOUND)
    loudness.set_ylim(bottom=0, top=max(1.05 * rms.max(), 0.01))
    loudness.set_ylabel("loudness", fontsize=8, color=_INK)
    loudness.set_xlabel("time (s)", fontsize=8, color=_INK)
    for axes in (motion, loudness):
        axes.set_xlim(0, seconds)
        axes.spines["top"].set_visible(False)
        _restrain(axes)
    figure.align_ylabels()
    if title:
        figure.suptitle(title, fontsize=10, color=_INK, x=0.015, ha="left", parse_math=False)
    _save(figure, path)


def headline_figure(path: Location, report: dict[str, Any]) -> None:
    """Write a PNG of the two headlines, the model's beside its controls', with intervals over sources.

    Its `scores` are by metric and control, each a mean with `low` and `high`, or None.
    """
    shown = controls(report)[::-1]
    figure = Figure((7.2, 2.4), dpi=_DPI, facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    for axes, name in zip(figure.subplots(1, 2, sharey=True), ("motion_correlation", "motion_explained"), strict=True):
        for place, control in enumerate(shown):
            score = report["scores"][name][control]
            if score is None:
                continue
            colour = ORANGE if control == "model" else _WRONG
            low, high = (score[end] if score[end] is not None else score["mean"] for end in ("low", "high"))
            axes.plot([low, high], [place, place], color=colour, linewidth=4, solid_capstyle="round", alpha=0.5)
            axes.plot(score["mean"], place, "o", color=colour, markersize=6)
            above = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "fontsize": 7}
            axes.annotate(signed(score["mean"]), (score["mean"], place), **above)
        axes.set_yticks(range(len(shown)), shown)
        axes.set_ylim(-0.6, len(shown) - 0.3)
        axes.axvline(0, color=_FAINT, linewidth=0.8, zorder=0)
        axes.set_title(name.replace("_", " "), fontsize=9, color=_INK, loc="left")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        _restrain(axes)
    _save(figure, path)


def _check_sound(wave_S: Tensor, sample_rate: int, frames: int, frame_rate: Fraction) -> None:
    if wave_S.ndim != 1 or len(wave_S) == 0 or not wave_S.is_floating_point():
        raise ValueError(f"wave_S has shape {tuple(wave_S.shape)} and {wave_S.dtype}; it must be [S], of floats.")
    if not (loudest := wave_S.abs().max().item()) <= 1:
        raise ValueError(f"wave_S reaches {loudest:g}; it must lie in [-1, 1].")
    sound_frames = Fraction(len(wave_S), sample_rate) * frame_rate
    if abs(sound_frames - frames) > 1:
        raise ValueError(f"wave_S lasts {float(sound_frames):.1f} frames and the video {frames}; they must agree.")


def _draw_wave(axes: Axes, wave_S: Tensor, sample_rate: int, seconds: float, pixels: int) -> None:
    # The highest and lowest sample of every pixel's time: what a line of all samples would cover.
    wave = wave_S.detach().to("cpu", torch.float64).numpy()
    starts = np.unique(np.linspace(0, len(wave), pixels, endpoint=False).astype(int))
    low, high = np.minimum.reduceat(wave, starts), np.maximum.reduceat(wave, starts)
    axes.axhline(0, color=_FAINT, linewidth=0.5, zorder=0)
    axes.fill_between(starts / sample_rate, low, high, color=_SOUND, linewidth=0.5)
    axes.set_xlim(0, seconds)
    axes.set_ylim(-1, 1)
    axes.set_yticks([-1, 0, 1])
    axes.set_ylabel("Input sound", fontsize=8, color=_INK)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("time (s)", fontsize=8, color=_INK)
    _restrain(axes)


def _paste(figure: Figure, picture_CHW: Tensor, scale: int, colour: str, x: int, y: int) -> None:
    # Pixel for pixel, with its lower left corner at (x, y) pixels: an Axes would resample.
    picture_HWC = picture_CHW.expand(3, -1, -1).permute(1, 2, 0).add(1).mul(127.5).round().clamp(0, 255).byte()
    large_HWC = picture_HWC.repeat_interleave(scale, 0).repeat_interleave(scale, 1).numpy()
    height, width, _ = large_HWC.shape
    border = np.round(np.multiply(to_rgb(colour), 255))
    bordered = np.full((height + 2 * _BORDER, width + 2 * _BORDER, 3), border, dtype=np.uint8)
    bordered[_BORDER:-_BORDER, _BORDER:-_BORDER] = large_HWC
    figure.figimage(bordered, xo=x, yo=y, origin="upper")


def _restrain(axes: Axes) -> None:
    axes.tick_params(labelsize=7.5, length=3, color=_FAINT, labelcolor=_INK)
    for spine in axes.spines.values():
        spine.set(color=_FAINT, linewidth=0.8)
    axes.spines["right"].set_visible(False)


def _save(figure: Figure, path: Location) -> None:
    with writing(path) as file:
        FigureCanvasAgg(figure).print_png(file)
