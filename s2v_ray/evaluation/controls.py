"""A model's videos of real clips, and their controls.

The controls are: the model given other sources' sounds, the model given the clip's own sound shifted in time, the
motion of the training clip whose sound is nearest, the frozen image, and the real video; for synthetic videos also the
resampled reference, the same events with fresh randomness.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from s2v_ray.dataset.collection import Clips
from s2v_ray.dataset.reader import Clip
from s2v_ray.evaluation.retrieval import TrainingClips, nearest_sound, play_over
from s2v_ray.metrics.loudness import power_in_frames
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.data.pixels import centre_crop, to_bytes, to_float, wave_to_float

MODEL, MISMATCHED, SHIFTED, FROZEN, REAL = "model", "mismatched sound", "shifted sound", "frozen image", "real video"
NEAREST, RESAMPLED = "nearest sound", "resampled reference"
CONTROLS = (MODEL, MISMATCHED, SHIFTED, NEAREST, FROZEN, RESAMPLED, REAL)
MISMATCHED_SOUNDS = 8
_LEAST_OTHERS = 2
_FRAMES_PER_CHUNK = 64
# Bounds a shift in both directions, since sounds wrap around.
_LEAST_SHIFT = 0.125  # of the clip: half a second of four
_SMOOTHED = 0.075  # of the clip: 9 of 120 frames
_SEAM_SECONDS = 0.005
_SILENCE = 1e-7  # the power of -70 dB
_STEADY_DB = 0.01


@dataclass(frozen=True)
class ClipVideos:
    """Videos [N, 3, R, R] in [-1, 1] of one clip, rounded to the 256 levels of a video file."""

    clip: Clip
    real: Tensor
    model: Tensor
    mismatched: list[Tensor]  # with the sounds of other sources
    shifted: list[Tensor] = field(default_factory=list)  # with its own sound, shifted: one or none
    resampled: list[Tensor] = field(default_factory=list)  # the resampled reference: one or none
    nearest: list[Tensor] = field(default_factory=list)  # the motion of the training clip with the nearest sound
    frame_rate: Fraction = Fraction(30)
    sample_rate: int = 44100

    @property
    def sound(self) -> Tensor:
        """The clip's own sound [S], in [-1, 1]."""
        return wave_to_float(torch.from_numpy(self.clip.wave.copy()))

    @property
    def frozen(self) -> Tensor:
        """The input image, repeated."""
        return self.real[:1].expand_as(self.real)

    @property
    def by_control(self) -> dict[str, list[Tensor]]:
        """The videos of each of CONTROLS."""
        return {
            MODEL: [self.model],
            MISMATCHED: self.mismatched,
            SHIFTED: self.shifted,
            NEAREST: self.nearest,
            FROZEN: [self.frozen],
            RESAMPLED: self.resampled,
            REAL: [self.real],
        }


def clip_videos(
    model: SoundToVideo,
    reader: Clips,
    number: int,
    others: Sequence[np.ndarray],
    resolution: int,
    *,
    shifted: bool = True,
    resampled: Mapping[str, Clip] = MappingProxyType({}),
    training: TrainingClips | None = None,
) -> ClipVideos:
    """The model's videos from a clip's first frame and the clip's own sound, the same shifted, and each of `others`.

    `number` is the clip's index in `reader`; `resampled` holds resampled references by clip id. With `training` clips,
    the motion of the one whose sound is nearest is a control.
    """
    clip = reader[number]
    real = centre_crop(clip.frames_THWC, resolution)
    sample_rate = reader.settings.sample_rate
    shifted_waves = [shifted_sound(clip.wave, len(real), sample_rate)] if shifted else []
    references = [resampled[clip.clip_id]] if clip.clip_id in resampled else []
    neighbour = nearest_sound(training, clip) if training else None
    with torch.no_grad():
        sound_BTD = encode_sounds(model, [clip.wave, *others, *shifted_waves])
        own, *rest = generate_videos(model, real[0], sound_BTD)
    return ClipVideos(
        clip,
        real,
        own,
        rest[: len(others)],
        rest[len(others) :],
        [centre_crop(reference.frames_THWC, resolution) for reference in references],
        [play_over(real, centre_crop(neighbour.frames_THWC, resolution))] if neighbour else [],
        reader.settings.rate,
        sample_rate,
    )


def channels_last(model: SoundToVideo) -> SoundToVideo:
    """The same model for `generate_videos`, its convolutions' weights laid out so that a CPU is up to twice as fast."""
    copied = deepcopy(model)
    copied.unet.to(memory_format=torch.channels_last)
    return copied


def encode_sounds(model: SoundToVideo, waves: Sequence[np.ndarray]) -> Tensor:
    """Features [B, T, D] of sounds of one length, int16 [S], on the model's device."""
    wave_BS = torch.from_numpy(np.stack(waves)).to(next(model.parameters()).device)
    features_BTD: Tensor = model.sound_encoder(wave_to_float(wave_BS))
    return features_BTD


def generate_videos(model: SoundToVideo, image_CHW: Tensor, sound_BTD: Tensor) -> list[Tensor]:
    """The videos [T, 3, R, R] of one image and B sounds, rounded to the 256 levels of a video file, on the CPU."""
    maps = model.unet.encode(image_CHW.unsqueeze(0).to(sound_BTD.device))
    # The frames of all sounds as those of one clip: their image is the same, and it is encoded once.
    chunks = sound_BTD.flatten(0, 1).unsqueeze(0).split(_FRAMES_PER_CHUNK, dim=1)
    # Laid out as metrics need them, lest each copies them.
    made = [to_float(to_bytes(model.unet.decode(maps, chunk)[0])).cpu().contiguous() for chunk in chunks]
    frames_NCHW = torch.cat(made)
    return list(frames_NCHW.unflatten(0, sound_BTD.shape[:2]))


def mismatched_sounds(reader: Clips, more: Clips | None, number: int, *, count: int, seed: int) -> list[np.ndarray]:
    """Up to `count` sounds, int16 [S], each of another source, drawn by the seed; `more` clips fill up a shortage.

    With fewer than two other sources, moments of the same source that start at least a clip's length away do.
    """
    random = np.random.default_rng([seed, number])
    sounds: list[np.ndarray] = []
    used = {reader.sources[number]}
    for clips in (reader, more):
        for other in random.permutation(len(clips)) if clips else ():
            if len(sounds) < count and clips and clips.sources[other] not in used:
                used.add(clips.sources[other])
                sounds.append(clips[int(other)].wave)
    if len(sounds) < min(count, _LEAST_OTHERS):
        sounds += _other_moments(reader, more, number, count=count - len(sounds), random=random)
    return sounds


def _other_moments(
    reader: Clips, more: Clips | None, number: int, *, count: int, random: np.random.Generator
) -> list[np.ndarray]:
    """Up to `count` sounds, int16 [S], of the same source as a clip, none of which overlaps it."""
    source, start = reader.sources[number], reader[number].start_seconds
    sounds: list[np.ndarray] = []
    for clips in (reader, more):
        same = [other for other, name in enumerate(clips.sources) if name == source] if clips else []
        for other in random.permutation(same).astype(int).tolist():
            clip = clips[other] if clips and len(sounds) < count else None
            if clip and abs(clip.start_seconds - start) >= reader.settings.seconds:
                sounds.append(clip.wave)
    return sounds


def shifted_sound(wave: np.ndarray, frames: int, sample_rate: int) -> np.ndarray:
    """A clip's sound, int16 [S], later by `uninformative_shift` frames; its end wraps around to the start."""
    shift = uninformative_shift(envelope_autocorrelation(wave, frames))
    # The ends are faded where they meet, since a click would be an event.
    fade = min(round(_SEAM_SECONDS * sample_rate), len(wave) // 2)
    ramp = (np.arange(fade) + 0.5) / fade
    gain = np.ones(len(wave))
    gain[:fade], gain[len(wave) - fade :] = ramp, ramp[::-1]
    return np.roll((wave * gain).astype(np.int16), shift * (len(wave) // frames))


def envelope_autocorrelation(wave: np.ndarray, frames: int) -> np.ndarray:
    """The circular autocorrelation [frames] of the loudness of a sound, int16 [S], by shift in frames.

    Loudness is in dB a frame, smoothed over a thirteenth of the clip so that peaks are as wide as the movements around
    an event. The autocorrelation is 1 at shift 0 and has mean 0; if the loudness never changes it is 0 throughout.
    """
    loudness = 10 * np.log10(power_in_frames(wave, frames) + _SILENCE)
    width = max(1, round(_SMOOTHED * frames))
    box = np.zeros(frames)
    box[:width] = 1 / width
    spectrum = np.fft.rfft(loudness) * np.fft.rfft(box)
    spectrum[0] = 0
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, n=frames)
    flat = correlation[0] <= frames * _STEADY_DB**2
    return np.zeros(frames) if flat else correlation / correlation[0]


def uninformative_shift(autocorrelation: np.ndarray) -> int:
    """The shift in frames, at least an eighth of the clip, at which the autocorrelation is nearest to zero.

    It avoids peaks, where a repeated sound would fit again, and troughs, where it would fit worse than by chance. Among
    equals, the one nearest to half the clip.
    """
    frames = len(autocorrelation)
    least = max(1, round(_LEAST_SHIFT * frames))
    shifts = sorted(range(least, frames - least + 1), key=lambda shift: abs(shift - frames / 2))
    return min(shifts, key=lambda shift: round(abs(float(autocorrelation[shift])), 6))
