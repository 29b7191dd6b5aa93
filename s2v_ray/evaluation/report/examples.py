"""The clips that a report shows, chosen by score: figures, and videos with their sound."""

from collections.abc import Sequence

import numpy as np

from s2v_ray.evaluation.controls import ClipVideos
from s2v_ray.evaluation.report.figures import figure_2, motion_curves
from s2v_ray.evaluation.scores import ClipScores
from s2v_ray.media.encode import for_aac, video_bytes
from s2v_ray.storage.files import write_bytes
from s2v_ray.storage.paths import Location, join
from s2v_ray.training.data.pixels import to_bytes

# The files of an example: NAME_figure_2.png and so on, with what draws the figures and the captions of the videos.
FIGURES = {"figure_2.png": figure_2, "motion.png": motion_curves}
VIDEOS = {
    "real": "real video",
    "model": "generated from its sound",
    "mismatched": "generated from a mismatched sound",
}


def choose_examples(clips: Sequence[ClipScores]) -> dict[str, int]:
    """The indices of the best, the median and the worst clip by motion correlation, each clip once."""
    ranked = sorted(range(len(clips)), key=lambda index: -clips[index].motion_correlation)
    median = ranked[len(ranked) // 2]
    ends = {"best": ranked[0], "median": median, "worst": ranked[-1]}
    return {name: index for name, index in ends.items() if name == "median" or index != median}


def write_example(out: Location, name: str, videos: ClipVideos, mismatched_wave: np.ndarray | None) -> None:
    """Write a clip's Figure 2, its motion over time, and its VIDEOS with their sounds, int16 [S]."""
    for file, draw in FIGURES.items():
        draw(join(out, f"{name}_{file}"), videos)
    shown = {"real": (videos.real, videos.clip.wave), "model": (videos.model, videos.clip.wave)}
    if mismatched_wave is not None:
        shown["mismatched"] = videos.mismatched[0], mismatched_wave
    for kind, (video_TCHW, wave) in shown.items():
        aac_wave, sample_rate = for_aac(wave, videos.sample_rate)
        frames_THWC = to_bytes(video_TCHW).numpy()
        content = video_bytes(frames_THWC, aac_wave, frame_rate=videos.frame_rate, sample_rate=sample_rate)
        write_bytes(join(out, f"{name}_{kind}.mp4"), content)
