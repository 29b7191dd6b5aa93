"""The clips that a report shows, chosen by score: figures, and videos with their sound."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from s2v_ray.config.schema import ClipConfig
from s2v_ray.evaluation.controls import ClipVideos
from s2v_ray.evaluation.report.figures import figure_2, motion_curves
from s2v_ray.evaluation.scores import ClipScores
from s2v_ray.media.encode import for_aac, video_bytes
from s2v_ray.storage.files import write_bytes
from s2v_ray.storage.paths import Location, join
from s2v_ray.training.data.pixels import to_bytes

# The paper's figure shows every 20th frame; longer clips are shown more sparsely so that they fit.
_FIGURE_EVERY, _FIGURE_FRAMES = 20, 12
# The files of an example: NAME_figure_2.png and so on, with the captions of the videos.
FIGURES = ("figure_2.png", "motion.png")
VIDEOS = {
    "real": "real video",
    "model": "generated from its sound",
    "mismatched": "generated from another source's sound",
}


def choose_examples(clips: Sequence[ClipScores]) -> dict[str, int]:
    """The indices of the best, the median and the worst clip by motion correlation, each clip once."""
    ranked = sorted(range(len(clips)), key=lambda index: -clips[index].motion_correlation)
    chosen: dict[str, int] = {}
    for name, rank in {"median": len(ranked) // 2, "best": 0, "worst": len(ranked) - 1}.items():
        if ranked[rank] not in chosen.values():
            chosen[name] = ranked[rank]
    return {name: chosen[name] for name in ("best", "median", "worst") if name in chosen}


def write_example(
    out: Location, name: str, videos: ClipVideos, mismatched_wave: np.ndarray | None, clips: ClipConfig
) -> None:
    """Write a clip's Figure 2, its motion over time, and its VIDEOS with their sounds, int16 [S]."""
    rate = Fraction(clips.frame_rate)
    figure_2(
        join(out, f"{name}_{FIGURES[0]}"),
        wave_S=videos.sound,
        image_CHW=videos.real[0],
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
        mismatched_TCHW=videos.mismatched[0] if videos.mismatched else videos.frozen,
        sample_rate=clips.sample_rate,
        frame_rate=rate,
    )
    shown = {"real": (videos.real, videos.clip.wave), "model": (videos.model, videos.clip.wave)}
    if mismatched_wave is not None:
        shown["mismatched"] = videos.mismatched[0], mismatched_wave
    for kind, (video_TCHW, wave) in shown.items():
        aac_wave, sample_rate = for_aac(wave, clips.sample_rate)
        content = video_bytes(to_bytes(video_TCHW).numpy(), aac_wave, frame_rate=rate, sample_rate=sample_rate)
        write_bytes(join(out, f"{name}_{kind}.mp4"), content)
