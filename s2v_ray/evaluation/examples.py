"""Clips to look at, chosen by their score and not by hand: figures, and videos with their sound."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from torch import Tensor

from s2v_ray.config.schema import ClipConfig
from s2v_ray.dataset.pixels import to_bytes
from s2v_ray.evaluation.controls import MODEL, ClipVideos
from s2v_ray.evaluation.figures import figure_2, motion_curves
from s2v_ray.media.encode import for_aac, video_bytes
from s2v_ray.storage.files import write_bytes
from s2v_ray.storage.paths import Location, join

# The paper's figure shows every 20th frame; of long clips fewer, so that they fit.
_FIGURE_EVERY, _FIGURE_FRAMES = 20, 12
# What an example consists of: NAME_figure_2.png and so on.
FIGURES = ("figure_2.png", "motion.png")
VIDEOS = {"real": "the real video", "model": "made from its sound", "wrong": "made from another source's sound"}


def choose_examples(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The numbers of the best, the median and the worst clip by motion correlation; fewer where there are fewer."""
    ranked = sorted(range(len(rows)), key=lambda number: -(rows[number]["scores"][MODEL]["motion_correlation"] or 0))
    places = {"median": len(ranked) // 2, "best": 0, "worst": len(ranked) - 1}
    chosen: dict[str, int] = {}
    for name, place in places.items():
        if ranked[place] not in chosen.values():
            chosen[name] = ranked[place]
    return {name: chosen[name] for name in ("best", "median", "worst") if name in chosen}


def write_example(
    out: Location, name: str, videos: ClipVideos, mismatched_wave: np.ndarray | None, clips: ClipConfig
) -> None:
    """Write a clip's Figure 2, its motion over time, and its videos with their sounds: real, ours, mismatched sound."""
    rate = Fraction(clips.frame_rate)
    wrong = videos.mismatched[0] if videos.mismatched else None
    figure_2(
        join(out, f"{name}_{FIGURES[0]}"),
        wave_S=videos.sound,
        picture_CHW=videos.real[0],
        generated_TCHW=videos.model,
        real_TCHW=videos.real,
        sample_rate=clips.sample_rate,
        frame_rate=rate,
        every=max(_FIGURE_EVERY, -(-len(videos.real) // _FIGURE_FRAMES)),
    )
    motion_curves(
        join(out, f"{name}_{FIGURES[1]}"),
        wave_S=videos.sound,
        real_TCHW=videos.real,
        matched_TCHW=videos.model,
        mismatched_TCHW=videos.frozen if wrong is None else wrong,
        sample_rate=clips.sample_rate,
        frame_rate=rate,
    )
    shown: dict[str, tuple[Tensor, np.ndarray]] = {
        "real": (videos.real, videos.clip.wave),
        "model": (videos.model, videos.clip.wave),
    }
    if wrong is not None and mismatched_wave is not None:
        shown["wrong"] = wrong, mismatched_wave
    for kind, (video_TCHW, wave) in shown.items():
        heard, sample_rate = for_aac(wave, clips.sample_rate)
        content = video_bytes(to_bytes(video_TCHW).numpy(), heard, frame_rate=rate, sample_rate=sample_rate)
        write_bytes(join(out, f"{name}_{kind}.mp4"), content)
