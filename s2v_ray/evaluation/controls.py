"""A model's videos of real clips beside their controls: another clip's sound, the frozen picture, the real video."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2v_ray.clips.pixels import centre_crop, to_bytes, to_float, wave_to_float
from s2v_ray.clips.reader import Clip, ClipReader
from s2v_ray.models.sound_to_video import SoundToVideo

MODEL, WRONG, FROZEN, REAL = "model", "wrong sound", "frozen picture", "real video"
CONTROLS = (MODEL, WRONG, FROZEN, REAL)
WRONG_SOUNDS = 8

Judge = Callable[[Tensor, Tensor], dict[str, float | None]]


@dataclass(frozen=True)
class ClipVideos:
    """Videos [N, 3, R, R] in [-1, 1] of one clip, rounded to the 256 levels of a video file."""

    clip: Clip
    real: Tensor
    model: Tensor
    wrong: list[Tensor]  # with the sounds of other sources

    @property
    def frozen(self) -> Tensor:
        """The input picture, held still."""
        return self.real[:1].expand_as(self.real)

    @property
    def deaf_mean(self) -> Tensor:
        """The model's mean output over the other sources' sounds: the best that it can do without hearing."""
        return torch.stack(self.wrong).mean(0) if self.wrong else self.frozen


def clip_videos(
    model: SoundToVideo, reader: ClipReader, number: int, others: Sequence[np.ndarray], resolution: int
) -> ClipVideos:
    """What the model makes of a clip's first frame with the clip's own sound, and with those of `others`."""
    clip = reader[number]
    real = centre_crop(clip.frames_THWC, resolution)
    device = next(model.parameters()).device

    def make(wave: np.ndarray) -> Tensor:
        wave_1S = wave_to_float(torch.from_numpy(wave.copy()).to(device)).unsqueeze(0)
        video_TCHW = model(real[:1].to(device), wave_1S)[0]
        return to_float(to_bytes(video_TCHW)).cpu()

    with torch.no_grad():
        return ClipVideos(clip, real, make(clip.wave), [make(wave) for wave in others])


def wrong_sounds(
    reader: ClipReader, more: ClipReader | None, number: int, *, count: int, seed: int
) -> list[np.ndarray]:
    """Up to `count` sounds, each of another source, drawn by the seed; from `more` clips where `reader` has too few."""
    random = np.random.default_rng([seed, number])
    sounds: list[np.ndarray] = []
    heard = {reader.sources[number]}
    for clips in (reader, more):
        for other in random.permutation(len(clips)) if clips else ():
            if len(sounds) < count and clips and clips.sources[other] not in heard:
                heard.add(clips.sources[other])
                sounds.append(clips[int(other)].wave)
    return sounds


def measure(videos: ClipVideos, judge: Judge) -> dict[str, dict[str, float | None]]:
    """What `judge` says of a clip's video and of its controls; what it says of wrong sounds is averaged."""
    return {
        MODEL: judge(videos.model, videos.real),
        WRONG: _mean([judge(video, videos.real) for video in videos.wrong]),
        FROZEN: judge(videos.frozen, videos.real),
        REAL: judge(videos.real, videos.real),
    }


def _mean(scores: list[dict[str, float | None]]) -> dict[str, float | None]:
    return {name: mean([score[name] for score in scores]) for name in scores[0]} if scores else {}


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are defined, or None where none is."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
