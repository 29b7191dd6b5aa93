"""Training clips beside a model's videos: the one whose sound is nearest, as a control, and how near their motion is.

What a model makes should be better than the retrieved clip's motion, and no copy of any training clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from s2v_ray.dataset.collection import Clips
from s2v_ray.dataset.reader import Clip
from s2v_ray.evaluation.sound_bands import sound_bands
from s2v_ray.training.data.pixels import centre_crop, to_bytes, to_float

_MOST_CLIPS = 200
_SIZE = 16  # motions are compared at 16 x 16 pixels, where noise and texture count little
_STILL = 1e-3  # root mean square of [-1, 1] over the clip: an eighth of a level
_LEAST_DB = 1.0


@dataclass(frozen=True)
class TrainingClips:
    """Up to 200 training clips, drawn by a seed: sounds and motions of N clips of T frames.

    `sound_NTF` are levels of frequency bands, each without its mean and over its deviation, `mean_F` and `deviation_F`;
    `motion_ND` are the `motion` of the videos.
    """

    clips: Clips | Sequence[Clip]
    indices: list[int]
    ids: list[str]
    sound_NTF: Tensor
    mean_F: Tensor
    deviation_F: Tensor
    motion_ND: Tensor
    sample_rate: int


def read_training_clips(
    clips: Clips | Sequence[Clip], *, sample_rate: int, resolution: int, seed: int
) -> TrainingClips | None:
    """The sounds and motions of training clips, all of one length; None if there are none."""
    if not len(clips):
        return None
    indices = sorted(np.random.default_rng(seed).permutation(len(clips))[:_MOST_CLIPS].tolist())
    ids, sounds, motions = [], [], []
    for index in indices:
        clip = clips[index]
        ids.append(clip.clip_id)
        sounds.append(sound_bands(clip.wave, len(clip.frames_THWC), sample_rate))
        motions.append(motion(centre_crop(clip.frames_THWC, resolution)))
    level_NTF = torch.stack(sounds)
    mean_F, deviation_F = level_NTF.mean((0, 1)), level_NTF.std((0, 1), correction=0).clamp(min=_LEAST_DB)
    sound_NTF = (level_NTF - mean_F) / deviation_F
    return TrainingClips(clips, indices, ids, sound_NTF, mean_F, deviation_F, torch.stack(motions), sample_rate)


def nearest_sound(training: TrainingClips, clip: Clip) -> Clip | None:
    """The training clip, other than this one, whose sound is nearest; None if there is none.

    Sounds are compared frame by frame: by the mean squared difference of the bands' levels in dB, each over its
    deviation in the training clips.
    """
    level_TF = sound_bands(clip.wave, training.sound_NTF.shape[1], training.sample_rate)
    sound_TF = (level_TF - training.mean_F) / training.deviation_F
    distance_N = (training.sound_NTF - sound_TF).square().mean((1, 2))
    distance_N[_same(training, clip)] = torch.inf
    nearest = int(distance_N.argmin())
    return training.clips[training.indices[nearest]] if distance_N[nearest] < torch.inf else None


def play_over(real_TCHW: Tensor, other_TCHW: Tensor) -> Tensor:
    """The motion of another video, what it adds to its own first frame, over the first frame of this one.

    Both in [-1, 1]; the sum is clamped to that, and rounded to the 256 levels of a video file.
    """
    return to_float(to_bytes(real_TCHW[:1] + other_TCHW - other_TCHW[:1]))


def motion(video_TCHW: Tensor) -> Tensor:
    """What a video in [-1, 1] adds to its first frame, as a vector [D] of length 1; zeros if it never moves."""
    change_TCHW = functional.adaptive_avg_pool2d(video_TCHW.float() - video_TCHW[:1].float(), _SIZE)
    change_D = change_TCHW.flatten()
    is_still = change_D.square().mean().sqrt() < _STILL
    return torch.zeros_like(change_D) if is_still else change_D / change_D.norm()


def training_distance(training: TrainingClips, video_TCHW: Tensor, clip: Clip) -> float | None:
    """How far the motion of a clip's video is from the nearest training clip's (not counting the clip itself).

    1 − the cosine between the two `motion`s: 0 for a copy of a training clip's motion over whatever picture, however
    weak; 1 if no training clip moves alike. None for a video that never moves, and without other training clips.
    """
    motion_D, same_N = motion(video_TCHW), _same(training, clip)
    if not motion_D.any() or same_N.all():
        return None
    return 1 - float((training.motion_ND @ motion_D)[~same_N].amax())


def _same(training: TrainingClips, clip: Clip) -> Tensor:
    return torch.tensor([clip_id == clip.clip_id for clip_id in training.ids])
