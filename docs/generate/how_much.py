"""Draws docs/assets/how_much.svg: what is explained, over minutes of video. Run it where results.md changes."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

# "How much video" in results.md: 1,600 steps of `tiny` on a part of one man's sentences, 32 unseen ones explained.
MINUTES = (1, 3, 10, 24)
EXPLAINED = (0.22, 0.28, 0.28, 0.28)
LONGER_TRAINING = (24, 0.38)  # all of it, 30 minutes of training instead of four; ten sentences
TEAL, ORANGE, GREY = "#00897b", "#e65100", "#666666"


def main() -> None:
    """Draw the curve beside the longer training's point."""
    plt.rcParams["svg.hashsalt"] = "how_much"  # the same figures give the same file
    plt.rcParams["svg.fonttype"] = "none"
    plt.rcParams["font.family"] = "sans-serif"
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    axes.plot(MINUTES, EXPLAINED, "o-", color=TEAL)
    axes.plot(*LONGER_TRAINING, "o", color=ORANGE)
    for minutes, explained in zip(MINUTES, EXPLAINED, strict=True):
        axes.annotate(
            f"{explained:.2f}", (minutes, explained), (0, -15), textcoords="offset points", ha="center", color=TEAL
        )
    axes.annotate("0.38", LONGER_TRAINING, (0, 8), textcoords="offset points", ha="center", color=ORANGE)
    axes.annotate("trained for 4 minutes", (6, 0.28), (0, 7), textcoords="offset points", ha="center", color=TEAL)
    axes.annotate("for 30 minutes", LONGER_TRAINING, (-16, -3), textcoords="offset points", ha="right", color=ORANGE)
    axes.set(xscale="log", xticks=MINUTES, xticklabels=MINUTES, xlim=(0.8, 32), ylim=(0, 0.45))
    axes.set_xlabel("minutes of video to learn from", color=GREY)
    axes.set_ylabel("motion explained", color=GREY)
    axes.minorticks_off()
    axes.tick_params(colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    out = Path(__file__).parents[1] / "assets" / "how_much.svg"
    figure.savefig(out, metadata={"Date": None}, transparent=True)


if __name__ == "__main__":
    main()
