"""From clips to sources to scores with intervals."""

from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any

from torch import Tensor

from s2v_ray.evaluation.controls import CONTROLS, FROZEN, MISMATCHED, MODEL, REAL, ClipVideos, mean, measure
from s2v_ray.evaluation.sync_classifier import SyncClassifier, taken_for_matched
from s2v_ray.metrics.av_align import av_align
from s2v_ray.metrics.beat_alignment import beat_alignment
from s2v_ray.metrics.bootstrap import interval
from s2v_ray.metrics.checks import checked_video
from s2v_ray.metrics.colour import colour_error
from s2v_ray.metrics.flicker import flicker
from s2v_ray.metrics.l1 import l1
from s2v_ray.metrics.lpips import Lpips
from s2v_ray.metrics.motion_explained import motion_explained, motion_explained_over_picture, squared_error
from s2v_ray.metrics.onset_f1 import onset_f1
from s2v_ray.metrics.peaks import sound_onsets
from s2v_ray.metrics.psnr import psnr
from s2v_ray.metrics.sharpness import sharpness
from s2v_ray.metrics.ssim import ssim
from s2v_ray.metrics.temporal_spectrum import temporal_spectrum_distance
from s2v_ray.metrics.video_motion import lag_frames, motion_correlation, motion_peaks, moving_mask

_ERROR, _SOUND_BLIND_ERROR = "squared_error", "sound_blind_error"

Scores = dict[str, float | None]


def motion_metrics(video: Tensor, real: Tensor) -> Scores:
    """The two headlines' ingredients."""
    return {"motion_correlation": motion_correlation(video, real), _ERROR: squared_error(video, real)}


def timing_metrics(
    video: Tensor, videos: ClipVideos, onsets: list[int], sync_classifier: SyncClassifier | None
) -> Scores:
    """Whether it moves when it should, by the real video and by the clip's own sound, which has these onsets."""
    lag, moves = lag_frames(video, videos.real), motion_peaks(video)
    scores: Scores = {
        "lag_frames": None if lag is None else lag.frames,
        "onset_f1": onset_f1(video, videos.real, frame_rate=videos.frame_rate),
        "av_align": av_align(moves, onsets),
        "beat_alignment": beat_alignment(moves, onsets),
    }
    if sync_classifier is not None:
        taken = taken_for_matched(sync_classifier, video, videos.clip.wave, videos.sample_rate)
        scores["sync_classifier"] = float(taken)
    return scores


def appearance_metrics(video: Tensor, real: Tensor, moving_HW: Tensor, lpips: Lpips | None) -> Scores:
    """How it looks: over everything, over what moves, and over what doesn't."""
    seen = {"lpips": lpips(video, real)} if lpips else {}
    return seen | {
        "l1": l1(video, real),
        "l1_moving": l1(video, real, where_HW=moving_HW),
        "psnr": psnr(video, real),
        "psnr_moving": psnr(video, real, where_HW=moving_HW),
        "ssim": ssim(video, real),
        "ssim_moving": ssim(video, real, where_HW=moving_HW),
        "appearance_error": l1(video, real, where_HW=~moving_HW),
        "colour_error": colour_error(video, real),
        "flicker": flicker(video, still_HW=~moving_HW),
        "sharpness": sharpness(video, real, where_HW=moving_HW),
        "temporal_spectrum_distance": temporal_spectrum_distance(video, real),
    }


def score_clip(
    videos: ClipVideos,
    *,
    appearance: bool = True,
    sync_classifier: SyncClassifier | None = None,
    lpips: Lpips | None = None,
) -> dict[str, Any]:
    """All that sums and means over a source need of one of its clips.

    Without `appearance` only the headlines' ingredients; without `sync_classifier` all but its score, which is 1 where it
    takes the video for matched and 0 where not; LPIPS only by a given `lpips`.
    """
    # Converted once, not by every metric.
    videos = replace(
        videos,
        real=checked_video("real", videos.real),
        model=checked_video("model", videos.model),
        mismatched=[checked_video("mismatched", video) for video in videos.mismatched],
        shifted=[checked_video("shifted", video) for video in videos.shifted],
        resampled=[checked_video("resampled", video) for video in videos.resampled],
    )
    scores = measure(videos, motion_metrics)
    if appearance:  # it hardly depends on which mismatched sound it was, and takes its time
        moving_HW = moving_mask(videos.real)
        onsets = sound_onsets(videos.sound, frames=len(videos.real), sample_rate=videos.sample_rate)

        def other_metrics(video: Tensor, real: Tensor) -> Scores:
            return timing_metrics(video, videos, onsets, sync_classifier) | appearance_metrics(
                video, real, moving_HW, lpips
            )

        for control, values in measure(replace(videos, mismatched=videos.mismatched[:1]), other_metrics).items():
            scores[control].update(values)
    return {
        "source": videos.clip.source,
        "clip_id": videos.clip.clip_id,
        "scores": scores,
        _SOUND_BLIND_ERROR: squared_error(videos.sound_blind_mean, videos.real),
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
    sound_blind = sum(clip[_SOUND_BLIND_ERROR] for clip in clips)
    frozen = sum(clip["scores"][FROZEN][_ERROR] for clip in clips)
    for control, scores in means.items():
        error = scores.pop(_ERROR)
        total = None if error is None else error * len(clips)
        explained = None if total is None else motion_explained(model=total, frozen=frozen, sound_blind=sound_blind)
        scores["motion_explained"] = explained
        scores["motion_explained_over_picture"] = (
            None if total is None else motion_explained_over_picture(model=total, frozen=frozen)
        )
        right, wrong = means[MODEL]["motion_correlation"], means[MISMATCHED]["motion_correlation"]
        gap = right - wrong if right is not None and wrong is not None else None
        scores["matched_minus_mismatched"] = gap if control == MODEL else None
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
