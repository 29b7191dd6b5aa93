"""FVD, a score of all videos together: gathered clip by clip, and said of the model and its controls at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from s2v_ray.evaluation.controls import CONTROLS, FROZEN, MISMATCHED, MODEL, REAL, RESAMPLED, SHIFTED, ClipVideos
from s2v_ray.metrics.fvd import frechet_distance, fvd_features
from s2v_ray.metrics.i3d import I3d


@dataclass(frozen=True)
class ClipFeatures:
    """What I3D sees in a clip's video and in those of its controls that there are: [W, 400] each."""

    source: str
    by_control: dict[str, Tensor]


def clip_features(videos: ClipVideos, i3d: I3d) -> ClipFeatures:
    """The features of one clip. Of mismatched sounds only the first counts: FVD depends on how many videos there are."""
    made = {
        MODEL: [videos.model],
        MISMATCHED: videos.mismatched[:1],
        SHIFTED: videos.shifted,
        FROZEN: [videos.frozen],
        RESAMPLED: videos.resampled,
        REAL: [videos.real],
    }
    found = {control: fvd_features(video, i3d) for control, some in made.items() for video in some}
    return ClipFeatures(videos.clip.source, found)


def score_fvd(clips: Sequence[ClipFeatures]) -> dict[str, dict[str, Any] | None]:
    """FVD of each control against the real videos of the same clips, shaped as `summarise` shapes means.

    `windows` is how many of 16 frames it was fitted to on either side. There is no interval: a bootstrap repeats
    windows, which by itself makes FVD larger, so that its interval would lie above the FVD.
    """
    return {control: _fvd([clip for clip in clips if control in clip.by_control], control) for control in CONTROLS}


def _fvd(clips: list[ClipFeatures], control: str) -> dict[str, Any] | None:
    if not clips:
        return None
    ours, real = (torch.cat([clip.by_control[name] for clip in clips]) for name in (control, REAL))
    distance = frechet_distance(ours, real)
    if distance is None:
        return None
    sources = len({clip.source for clip in clips})
    return {"mean": distance, "low": None, "high": None, "count": sources, "windows": len(ours)}
