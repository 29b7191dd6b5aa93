"""From clips to sources to scores with intervals."""

from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any

from torch import Tensor

from s2v_ray.evaluation.controls import CONTROLS, FROZEN, MODEL, REAL, WRONG, ClipVideos, mean, measure
from s2v_ray.metrics.bootstrap import interval
from s2v_ray.metrics.l1 import l1
from s2v_ray.metrics.lag import lag_frames
from s2v_ray.metrics.motion_correlation import motion_correlation
from s2v_ray.metrics.motion_explained import motion_explained, motion_explained_over_picture, squared_error
from s2v_ray.metrics.psnr import psnr
from s2v_ray.metrics.ssim import ssim

_ERROR, _DEAF_ERROR = "squared_error", "deaf_error"


def judge_motion(video: Tensor, real: Tensor) -> dict[str, float | None]:
    """The two headlines' ingredients."""
    return {"motion_correlation": motion_correlation(video, real), _ERROR: squared_error(video, real)}


def judge_appearance(video: Tensor, real: Tensor) -> dict[str, float | None]:
    """Appearance, and the lag."""
    lag = lag_frames(video, real)
    return {
        "lag_frames": None if lag is None else lag.frames,
        "l1": l1(video, real),
        "psnr": psnr(video, real),
        "ssim": ssim(video, real),
    }


def score_clip(videos: ClipVideos, *, appearance: bool = True) -> dict[str, Any]:
    """All that sums and means over a source need of one of its clips."""
    scores = measure(videos, judge_motion)
    if appearance:  # it hardly depends on which wrong sound it was, and takes its time
        for control, values in measure(replace(videos, wrong=videos.wrong[:1]), judge_appearance).items():
            scores[control].update(values)
    return {
        "source": videos.clip.source,
        "clip_id": videos.clip.clip_id,
        "scores": scores,
        _DEAF_ERROR: squared_error(videos.deaf_mean, videos.real),
    }


def score_sources(clips: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a source: means over its clips, and motion explained from their summed errors."""
    by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for clip in clips:
        by_source[clip["source"]].append(clip)
    return [{"source": source, "clips": len(rows), "scores": _of_source(rows)} for source, rows in by_source.items()]


def _of_source(clips: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    names = clips[0]["scores"][MODEL]
    means = {
        control: {name: mean([clip["scores"][control].get(name) for clip in clips]) for name in names}
        for control in CONTROLS
    }
    deaf = sum(clip[_DEAF_ERROR] for clip in clips)
    frozen = sum(clip["scores"][FROZEN][_ERROR] for clip in clips)
    for control, scores in means.items():
        error = scores.pop(_ERROR)
        total = None if error is None else error * len(clips)
        explained = None if total is None else motion_explained(model=total, frozen=frozen, deaf=deaf)
        scores["motion_explained"] = explained
        scores["motion_explained_over_picture"] = (
            None if total is None else motion_explained_over_picture(model=total, frozen=frozen)
        )
        right, wrong = means[MODEL]["motion_correlation"], means[WRONG]["motion_correlation"]
        gap = right - wrong if right is not None and wrong is not None else None
        scores["right_minus_wrong"] = gap if control == MODEL else None
    return means


def summarise(sources: list[dict[str, Any]], seed: int) -> dict[str, dict[str, dict[str, Any] | None]]:
    """Each metric's mean over the sources that define it, with its bootstrap interval, for model and controls."""
    return {
        name: {
            control: _interval([source["scores"][control][name] for source in sources], seed) for control in CONTROLS
        }
        for name in sources[0]["scores"][REAL]
    }


def _interval(values: list[float | None], seed: int) -> dict[str, Any] | None:
    defined = [value for value in values if value is not None]
    return asdict(interval(defined, seed=seed)) if defined else None
