"""Scores of clips, averaged to sources, then to means over sources with intervals."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor

from s2v_ray.evaluation.controls import CONTROLS, FROZEN, MISMATCHED, MODEL, NEAREST, REAL, ClipVideos
from s2v_ray.evaluation.retrieval import TrainingClips, training_distance
from s2v_ray.evaluation.sync_classifier import SyncClassifier, are_matched
from s2v_ray.metrics.av_align import av_align
from s2v_ray.metrics.beat_alignment import beat_alignment
from s2v_ray.metrics.bootstrap import interval
from s2v_ray.metrics.checks import checked_video
from s2v_ray.metrics.colour import colour_error
from s2v_ray.metrics.flicker import flicker
from s2v_ray.metrics.fvd import frechet_distance, fvd_features
from s2v_ray.metrics.i3d import I3d
from s2v_ray.metrics.l1 import l1
from s2v_ray.metrics.lpips import Lpips
from s2v_ray.metrics.motion_explained import motion_explained, pooled_motion_explained, squared_error
from s2v_ray.metrics.onset_f1 import onset_f1
from s2v_ray.metrics.peaks import sound_onsets
from s2v_ray.metrics.psnr import psnr
from s2v_ray.metrics.sharpness import sharpness
from s2v_ray.metrics.ssim import ssim
from s2v_ray.metrics.temporal_spectrum import temporal_spectrum_distance
from s2v_ray.metrics.video_motion import lag_frames, motion_correlation, motion_peaks, moving_mask

Metrics = dict[str, float | None]  # by name; None where undefined
ClipFeatures = tuple[str, dict[str, Tensor]]  # a clip's source, and I3D's features [W, 400] of its W windows by control
_ERROR = "squared_error"  # an ingredient of motion explained


@dataclass(frozen=True)
class ClipScores:
    """The metrics of one clip by control; `sound_blind_error` is the squared error of the sound-blind baseline."""

    source: str
    clip_id: str
    scores: dict[str, Metrics]
    sound_blind_error: float

    @property
    def motion_correlation(self) -> float:
        """The model's; an undefined one counts 0."""
        return self.scores[MODEL]["motion_correlation"] or 0.0


@dataclass(frozen=True)
class SourceScores:
    """The metrics of one source by control, over `clips` clips, and the squared errors that motion explained is of."""

    source: str
    clips: int
    scores: dict[str, Metrics]
    errors: Metrics = field(default_factory=dict)  # by control
    baseline_error: float = 0.0


@dataclass(frozen=True)
class Memorisation:
    """Are generated videos nearer to training clips than the real ones of the same clips are?

    `ratio` is of the sums of their `training_distance`s: 1 if no nearer, 0 for copies. `nearer` is the share of clips
    whose generated video is the nearer one.
    """

    ratio: "Score"
    nearer: "Score"


@dataclass(frozen=True)
class Score:
    """A metric's mean over `count` sources and its interval, None if unknown; of FVD also the number of `windows`."""

    mean: float
    low: float | None
    high: float | None
    count: int
    windows: int | None = None


def motion_metrics(video: Tensor, real: Tensor) -> Metrics:
    """What the two headlines are made of."""
    return {"motion_correlation": motion_correlation(video, real), _ERROR: squared_error(video, real)}


def timing_metrics(video: Tensor, real: Tensor, onsets: list[int], frame_rate: float) -> Metrics:
    """Whether it moves when it should: against the real video, and against the `onsets` of the clip's own sound."""
    lag, peaks = lag_frames(video, real), motion_peaks(video)
    return {
        "lag_frames": None if lag is None else float(lag.frames),
        "onset_f1": onset_f1(video, real, frame_rate=frame_rate),
        "av_align": av_align(peaks, onsets),
        "beat_alignment": beat_alignment(peaks, onsets),
    }


def appearance_metrics(video: Tensor, real: Tensor, moving_HW: Tensor, lpips: Lpips | None) -> Metrics:
    """How it looks: everywhere, where it moves, and where it doesn't."""
    perceptual = {"lpips": lpips(video, real)} if lpips else {}
    return perceptual | {
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
    training: TrainingClips | None = None,
) -> ClipScores:
    """All metrics of a clip.

    Without `appearance` only what the headlines are made of. The metric "sync_classifier" is 1 where that accepts the
    video as matching its sound, else 0. With `training` clips, "training_distance" is measured, too.
    """
    # Converted once, not by every metric.
    by_control = {name: [checked_video(name, video) for video in some] for name, some in videos.by_control.items()}
    (real,) = by_control[REAL]
    scores = {control: _means([motion_metrics(video, real) for video in some]) for control, some in by_control.items()}
    if appearance:
        moving_HW = moving_mask(real)
        onsets = sound_onsets(videos.sound, frames=len(real), sample_rate=videos.sample_rate)
        # Slow, and hardly dependent on which mismatched sound it was.
        first = {control: some[0] for control, some in by_control.items() if some}
        for control, video in first.items():
            scores[control] |= timing_metrics(video, real, onsets, float(videos.frame_rate))
            scores[control] |= appearance_metrics(video, real, moving_HW, lpips)
        if sync_classifier is not None:
            accepted_B1 = are_matched(sync_classifier, list(first.values()), [videos.clip.wave], videos.sample_rate)
            for control, accepted in zip(first, accepted_B1[:, 0].tolist(), strict=True):
                scores[control]["sync_classifier"] = float(accepted)
        if training:
            for control in (MODEL, NEAREST, REAL):
                for video in by_control[control]:
                    scores[control]["training_distance"] = training_distance(training, video, videos.clip)
    sound_blind = torch.stack(by_control[MISMATCHED] or by_control[FROZEN]).mean(0)
    return ClipScores(videos.clip.source, videos.clip.clip_id, scores, squared_error(sound_blind, real))


def score_sources(clips: Sequence[ClipScores]) -> list[SourceScores]:
    """The means over each source's clips, with motion explained from their summed errors."""
    by_source: dict[str, list[ClipScores]] = defaultdict(list)
    for clip in clips:
        by_source[clip.source].append(clip)
    return [_source_scores(source, own) for source, own in by_source.items()]


def _source_scores(source: str, clips: list[ClipScores]) -> SourceScores:
    # A control that some clips lack has None for what it doesn't define.
    undefined: Metrics = dict.fromkeys(name for clip in clips for name in clip.scores[MODEL])
    means = {control: undefined | _means([clip.scores[control] for clip in clips]) for control in CONTROLS}
    sound_blind = sum(clip.sound_blind_error for clip in clips)
    frozen = sum(clip.scores[FROZEN][_ERROR] or 0.0 for clip in clips)
    matched, mismatched = (means[control]["motion_correlation"] for control in (MODEL, MISMATCHED))
    gap = matched - mismatched if matched is not None and mismatched is not None else None
    errors: Metrics = {}
    for control, metrics in means.items():
        error = metrics.pop(_ERROR)
        explained = over_picture = None
        if error is not None:
            errors[control] = model = error * len(clips)
            explained = motion_explained(model=model, frozen=frozen, sound_blind=sound_blind)
            over_picture = motion_explained(model=model, frozen=frozen, sound_blind=frozen)
        metrics["motion_explained"], metrics["motion_explained_over_picture"] = explained, over_picture
        metrics["matched_minus_mismatched"] = gap if control == MODEL else None
    return SourceScores(source, len(clips), means, errors, min(frozen, sound_blind))


def _means(scores: list[Metrics]) -> Metrics:
    names = dict.fromkeys(name for score in scores for name in score)
    return {name: mean([score.get(name) for score in scores]) for name in names}


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the defined values; None if there are none."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def summarise(sources: Sequence[SourceScores], seed: int) -> dict[str, dict[str, Score | None]]:
    """Each metric's mean over the sources that define it, with its bootstrap interval, by metric and control."""
    names = dict.fromkeys(name for source in sources for name in source.scores[REAL])
    return {name: {control: _interval_over(sources, control, name, seed) for control in CONTROLS} for name in names} | {
        "motion_explained_pooled": {control: _pooled_score(sources, control, seed) for control in CONTROLS}
    }


def _interval_over(sources: Sequence[SourceScores], control: str, name: str, seed: int) -> Score | None:
    return interval_score([source.scores[control].get(name) for source in sources], seed)


def pooled_errors(sources: Sequence[SourceScores], control: str = MODEL) -> list[tuple[float, float]]:
    """What `pooled_motion_explained` is of: each source's error of a control, where it has one, and of the baseline."""
    errors = [(source.errors.get(control), source.baseline_error) for source in sources]
    return [(error, baseline) for error, baseline in errors if error is not None]


def _pooled_score(sources: Sequence[SourceScores], control: str, seed: int) -> Score | None:
    errors = pooled_errors(sources, control)
    return Score(**asdict(interval(errors, seed=seed, statistic=pooled_motion_explained))) if errors else None


def memorisation(clips: Sequence[ClipScores], seed: int) -> Memorisation | None:
    """How near the model's videos are to training clips beside the real ones; None where that is undefined."""
    by_source: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for clip in clips:
        model, real = (clip.scores[control].get("training_distance") for control in (MODEL, REAL))
        if model is not None and real is not None:
            by_source[clip.source].append((model, real))
    sums = [tuple(map(sum, zip(*pairs, strict=True))) for pairs in by_source.values()]
    if not sums or not all(real > 0 for _, real in sums):
        return None
    ratio = interval(sums, seed=seed, statistic=_ratio_of_sums)
    nearer = interval_score([mean([float(m < r) for m, r in pairs]) for pairs in by_source.values()], seed)
    return Memorisation(Score(**asdict(ratio)), nearer) if nearer else None


def _ratio_of_sums(sums_RS2: np.ndarray) -> np.ndarray:
    model, real = np.moveaxis(sums_RS2.sum(1), -1, 0)
    return np.asarray(model / real)


def interval_score(values: Sequence[float | None], seed: int) -> Score | None:
    """The mean of the defined values, one a source, with its interval; None if none is defined."""
    defined = [value for value in values if value is not None]
    return Score(**asdict(interval(defined, seed=seed))) if defined else None


def clip_features(videos: ClipVideos, i3d: I3d) -> ClipFeatures:
    """What FVD needs of one clip. Only one mismatched sound counts, since FVD depends on the number of videos."""
    by_control = videos.by_control.items()
    return videos.clip.source, {name: fvd_features(video, i3d) for name, some in by_control for video in some[:1]}


def score_fvd(clips: Sequence[ClipFeatures]) -> dict[str, Score | None]:
    """FVD of each control against the real videos of the same clips.

    There is no interval: a bootstrap repeats windows, which by itself makes FVD larger, so that its interval would lie
    above the FVD.
    """
    return {control: _fvd([clip for clip in clips if control in clip[1]], control) for control in CONTROLS}


def _fvd(clips: list[ClipFeatures], control: str) -> Score | None:
    if not clips:
        return None
    ours, real = (torch.cat([features[name] for _, features in clips]) for name in (control, REAL))
    distance = frechet_distance(ours, real)
    if distance is None:
        return None
    return Score(distance, None, None, count=len({source for source, _ in clips}), windows=len(ours))
