"""Figures of how a training went."""

from matplotlib.figure import Figure

from s2v_ray.app.run_files import Curves

_TEXT, _PALE = "#2b2e33", "#c5c9ce"
_COLOURS = ("#5f7396", "#ff6b1a", "#1f9d8b")
_DPI = 130
_RECONSTRUCTION = "Reconstruction loss"
# By title, the metrics with their labels. A discriminator that can't tell real from generated has a loss of 1.39.
_PANELS = {
    _RECONSTRUCTION: {"loss/reconstruction": "frames", "loss/thumbnails": "thumbnails"},
    "Losses of the discriminators": {"loss/image_discriminator": "image", "loss/video_discriminator": "video"},
    "Validation": {
        "validation/motion_correlation": "motion correlation",
        "validation/matched_minus_mismatched": "matched − mismatched",
        "validation/motion_explained": "motion explained",
    },
}


def run_figures(curves: Curves) -> list[Figure]:
    """Losses, and validation, over steps: one small figure each, empty where a run has none so far."""
    return [_figure(title, {label: curves[name] for name, label in lines.items() if name in curves})
            for title, lines in _PANELS.items()]  # fmt: skip


def _figure(title: str, lines: dict[str, tuple[list[int], list[float]]]) -> Figure:
    figure = Figure((4.2, 2.9), dpi=_DPI, facecolor="white", layout="constrained")
    axes = figure.subplots()
    for (label, (steps, values)), colour in zip(lines.items(), _COLOURS, strict=False):
        axes.plot(
            steps, values, color=colour, label=label, linewidth=1.4, marker="o" if len(steps) < 20 else "", markersize=3
        )
    if lines:
        axes.legend(fontsize=8, frameon=False)
        axes.set_xlabel("step", fontsize=8, color=_TEXT)
    else:
        axes.text(0.5, 0.5, "none so far", ha="center", va="center", color=_TEXT, transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
    if lines and title == _RECONSTRUCTION and min(min(values) for _, values in lines.values()) > 0:
        axes.set_yscale("log")
    axes.set_title(title, fontsize=10, color=_TEXT, loc="left")
    axes.tick_params(labelsize=8, which="both", color=_PALE, labelcolor=_TEXT)
    axes.spines[["right", "top"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_PALE)
    return figure
