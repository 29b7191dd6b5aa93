"""The probe's picture: the learning curve over minutes of video, and explained by lag."""

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from s2v_ray.evaluation.probe.report import ProbeReport
from s2v_ray.evaluation.report.figures import ORANGE
from s2v_ray.storage.files import writing
from s2v_ray.storage.paths import Location

_INK, _FAINT, _CONTROL = "#333333", "#b9bec4", "#9aa3ad"
_DPI = 150


def probe_figure(path: Location, report: ProbeReport) -> None:
    """Write the picture as a PNG."""
    figure = Figure((7.2, 2.9), dpi=_DPI, facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    curve, lags = figure.subplots(1, 2, width_ratios=[3, 2])
    _draw_curve(curve, report)
    _draw_lags(lags, report)
    for axes in (curve, lags):
        axes.axhline(0, color=_FAINT, linewidth=0.8, zorder=0)
        axes.tick_params(labelsize=7.5, length=3, color=_FAINT, labelcolor=_INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set(color=_FAINT, linewidth=0.8)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set(fontsize=8, color=_INK)
    with writing(path) as file:
        FigureCanvasAgg(figure).print_png(file)  # `savefig` would draw it twice, for its layout


def _draw_curve(axes: Axes, report: ProbeReport) -> None:
    held_out = "moments" if report.by_time else "sources"
    minutes = [point.minutes for point in report.curve]
    if minutes:
        means = [point.explained.mean for point in report.curve]
        low = [point.explained.mean if point.explained.low is None else point.explained.low for point in report.curve]
        high = [
            point.explained.mean if point.explained.high is None else point.explained.high for point in report.curve
        ]
        axes.fill_between(minutes, low, high, color=ORANGE, alpha=0.2, linewidth=0)
        axes.plot(minutes, means, "o-", color=ORANGE, markersize=4, label=f"its own sound, held-out {held_out}")
        axes.set_xscale("log")
        axes.set_xticks(minutes, [f"{each:.2g}" for each in minutes])
        axes.minorticks_off()
    else:
        axes.axhline(report.explained.mean, color=ORANGE, label=f"its own sound, held-out {held_out}")
        axes.set_xticks([])
    axes.axhline(report.shifted.mean, color=_CONTROL, linestyle="--", linewidth=1, label="shifted sound")
    axes.set(xlabel="minutes of video trained on", ylabel="motion explained")
    axes.legend(fontsize=7.5, frameon=False, labelcolor=_INK, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def _draw_lags(axes: Axes, report: ProbeReport) -> None:
    axes.plot(report.lags.frames, report.lags.explained, color=_INK, linewidth=1.2)
    best = report.lags.frames.index(report.lags.best_frames)
    axes.plot(report.lags.best_frames, report.lags.explained[best], "o", color=ORANGE, markersize=5)
    axes.set(xlabel="frames that the sound is later", ylabel="explained by one frame's sound")
