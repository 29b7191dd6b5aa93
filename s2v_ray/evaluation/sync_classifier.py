"""The sync classifier: a small network that decides whether a video's motion matches a sound.

It is trained on the training split's real clips to tell a clip's own sound from the same sound shifted and from other
sources' sounds. Motion and sound each become a signal over time with a few channels. The two are correlated at every
circular shift; they match if they correlate well unshifted, and nearly as well as at the best shift.

Frames are reduced to 16 x 16 pixels and, in training, randomly blurred, brightened, mirrored, moved and made noisy, so
that the classifier relies on motion rather than on what a generated video's pixels look like.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2v_ray.dataset.collection import Clips
from s2v_ray.dataset.reader import Clip
from s2v_ray.evaluation.controls import envelope_autocorrelation, mismatched_sounds, shifted_sound
from s2v_ray.evaluation.sound_bands import sound_bands
from s2v_ray.training.data.pixels import centre_crop
from s2v_ray.training.threads import at_most_threads

_SIZE = 16
_CHANNELS, _HIDDEN, _FRAME = 16, 48, 12
_STEPS, _BATCH, _LEARNING_RATE, _WEIGHT_DECAY, _DROPOUT = 120, 24, 4e-3, 0.05, 0.1
_MOST_CLIPS = 300  # to train on, evenly spaced over the split
# A shifted sound is mismatched if the shift is at least a fifteenth of the clip and the sound there is unlike itself.
_LEAST_SHIFT, _UNLIKE = 1 / 15, 0.4
_MISMATCHED_SOUNDS = 2
# Logits per unit of correlation, and the least correlation of a match.
_STEEPNESS, _THRESHOLD = 16.0, 0.5


class SyncClassifier(nn.Module):
    """Logits that B videos' motion matches C sounds of `bands` frequency bands, at every shift of the sound."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.frame = nn.Sequential(
            nn.Conv2d(3, _FRAME, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(_FRAME, 2 * _FRAME, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Dropout(_DROPOUT),
            nn.Linear(2 * _FRAME * (_SIZE // 4) ** 2, _HIDDEN),
            nn.GELU(),
        )
        self.motion = _over_time(_HIDDEN)
        self.sound = _over_time(2 * bands)

    def forward(self, frames_BTHW: Tensor, sound_CTF: Tensor) -> Tensor:
        """`grey_frames` and `sound_bands` to logits [B, C, T]: above 0 is a match.

        Entry d is for the sound d frames earlier.
        """
        motion_BDT, sound_CDT = self._motion(frames_BTHW), self._sound(sound_CTF)
        frames = motion_BDT.shape[-1]
        spectrum = torch.einsum("bdf,cdf->bcf", torch.fft.rfft(motion_BDT).conj(), torch.fft.rfft(sound_CDT))
        correlation_BCT: Tensor = torch.fft.irfft(spectrum, n=frames) / frames
        below_best_BCT = correlation_BCT.amax(-1, keepdim=True) - correlation_BCT
        logits_BCT: Tensor = _STEEPNESS * (correlation_BCT - below_best_BCT - _THRESHOLD)
        return logits_BCT

    def _motion(self, frames_BTHW: Tensor) -> Tensor:
        """Motion as a signal [B, D, T]: from frame differences, their size, and the difference to the mean frame."""
        step = functional.pad(frames_BTHW.diff(dim=1), (0, 0, 0, 0, 1, 0))
        offset = frames_BTHW - frames_BTHW.mean(1, keepdim=True)
        # Relative to the clip's own level: when and where things move counts, not how much.
        step, offset = _relative(step, 0.003), _relative(offset, 0.01)
        features = self.frame(torch.stack([step, step.abs(), offset], 2).flatten(0, 1))
        return _standardised(self.motion(features.unflatten(0, frames_BTHW.shape[:2]).transpose(1, 2)))

    def _sound(self, sound_CTF: Tensor) -> Tensor:
        level = _relative(sound_CTF - sound_CTF.mean((1, 2), keepdim=True), 1.0)
        step = functional.pad(level.diff(dim=1), (0, 0, 1, 0))
        return _standardised(self.sound(torch.cat([level, step], 2).transpose(1, 2)))


def _over_time(channels: int) -> nn.Sequential:
    """Convolutions that see eight frames to either side. Replicated ends keep a still video constant."""

    def convolution(inner: int, outer: int, dilation: int) -> nn.Conv1d:
        return nn.Conv1d(inner, outer, 5, padding=2 * dilation, dilation=dilation, padding_mode="replicate")

    return nn.Sequential(
        nn.Dropout(_DROPOUT),
        convolution(channels, _HIDDEN, 1),
        nn.GELU(),
        convolution(_HIDDEN, _HIDDEN, 2),
        nn.GELU(),
        convolution(_HIDDEN, _CHANNELS, 1),
    )


def _relative(values: Tensor, least: float) -> Tensor:
    """Values over their root mean square, clip by clip; `least` keeps noise small."""
    return values / (values.square().mean(tuple(range(1, values.ndim)), keepdim=True).sqrt() + least)


def _standardised(signal_BDT: Tensor) -> Tensor:
    """Each channel without its mean over time, all together of mean square 1; zero if nothing changes."""
    signal_BDT = signal_BDT - signal_BDT.mean(-1, keepdim=True)
    return signal_BDT / (signal_BDT.square().sum(1, keepdim=True).mean(-1, keepdim=True).sqrt() + 0.01)


def grey_frames(video_TCHW: Tensor) -> Tensor:
    """A video in [-1, 1] as small grey frames [T, 16, 16]."""
    return functional.adaptive_avg_pool2d(video_TCHW.float().mean(1, keepdim=True), _SIZE)[:, 0]


@torch.no_grad()
def are_matched(
    classifier: SyncClassifier, videos: Sequence[Tensor], waves: Sequence[np.ndarray], sample_rate: int
) -> Tensor:
    """Whether the classifier accepts sounds, int16 [S], as matching videos [T, C, H, W] in [-1, 1] of their length.

    Bool [videos, sounds].
    """
    frames_BTHW = torch.stack([grey_frames(video_TCHW) for video_TCHW in videos])
    sound_CTF = torch.stack([sound_bands(wave, frames_BTHW.shape[1], sample_rate) for wave in waves])
    matched_BC: Tensor = classifier(frames_BTHW, sound_CTF)[:, :, 0] > 0
    return matched_BC


def train_sync_classifier(
    clips: Clips | Sequence[Clip], *, sample_rate: int, resolution: int, seed: int
) -> SyncClassifier | None:
    """A classifier trained on real clips of one length; None if there are no clips.

    The same clips and seed give the same classifier; the global random state is unchanged. Takes about ten seconds on
    two CPU cores for clips of 120 frames.
    """
    if not len(clips):
        return None
    # One thread: sums have the same order on every machine, and products this small gain little from more.
    with at_most_threads(1), torch.random.fork_rng(devices=[]):
        frames_NTHW, sound_NTF, unlike_NT, source_N = _training_set(clips, sample_rate, resolution)
        torch.manual_seed(seed)
        classifier = SyncClassifier(sound_NTF.shape[-1])
        optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=_STEPS, pct_start=0.2)
        for _ in range(_STEPS):
            chosen = torch.randperm(len(source_N))[:_BATCH]
            frames_BTHW, sound_BTF = _varied(frames_NTHW[chosen], sound_NTF[chosen])
            loss = _loss(classifier(frames_BTHW, sound_BTF), unlike_NT[chosen], source_N[chosen])
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return classifier.eval()


def _training_set(clips: Clips | Sequence[Clip], sample_rate: int, resolution: int) -> tuple[Tensor, ...]:
    """Frames [N, T, H, W], sounds [N, T, F], the shifts [N, T] at which a sound is mismatched, source indices [N]."""
    frames_of_clips, sounds, unlike, sources = [], [], [], []
    for number in np.unique(np.linspace(0, len(clips) - 1, _MOST_CLIPS).round().astype(int)).tolist():
        clip = clips[number]
        frames = len(clip.frames_THWC)
        distance_T = np.minimum(np.arange(frames), frames - np.arange(frames))
        far_T = distance_T >= max(1, round(_LEAST_SHIFT * frames))
        frames_of_clips.append(grey_frames(centre_crop(clip.frames_THWC, resolution)))
        sounds.append(sound_bands(clip.wave, frames, sample_rate))
        unlike.append(torch.from_numpy(far_T & (envelope_autocorrelation(clip.wave, frames) < _UNLIKE)))
        sources.append(clip.source)
    source_N = torch.tensor([sources.index(source) for source in sources])
    return torch.stack(frames_of_clips), torch.stack(sounds), torch.stack(unlike), source_N


def _varied(frames_BTHW: Tensor, sound_BTF: Tensor) -> tuple[Tensor, Tensor]:
    """The same motion and sound under random augmentation."""
    batch, frames = frames_BTHW.shape[:2]

    def uniform() -> Tensor:
        return torch.rand(batch, 1, 1, 1)

    blurred = functional.avg_pool2d(functional.pad(frames_BTHW, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    frames_BTHW = torch.lerp(frames_BTHW, blurred, uniform())
    frames_BTHW = frames_BTHW * (0.6 + 0.8 * uniform()) + 0.3 * (uniform() - 0.5)
    frames_BTHW = torch.where(uniform() < 0.5, frames_BTHW.flip(-1), frames_BTHW)
    down, across = torch.randint(-1, 2, (2,)).tolist()
    frames_BTHW = frames_BTHW.roll((down, across), (2, 3)) + 0.02 * uniform() * torch.randn(frames_BTHW.shape)
    sound_BTF = sound_BTF + torch.randn(sound_BTF.shape)  # by a decibel
    start = int(torch.randint(frames, ()))
    return frames_BTHW.roll(start, 1), sound_BTF.roll(start, 1)


def _loss(logits_BBT: Tensor, unlike_BT: Tensor, source_B: Tensor) -> Tensor:
    """Binary cross-entropy; matched and mismatched have equal weight, and among these shifted and other sources'."""
    own_BT = logits_BBT.diagonal().T
    matched = functional.softplus(-own_BT[:, 0]).mean()
    others = logits_BBT[source_B[:, None] != source_B]
    kinds = [functional.softplus(logits).mean() for logits in (own_BT[unlike_BT], others) if logits.numel()]
    return matched + sum(kinds, torch.zeros(())) / max(len(kinds), 1)


def sync_classifier_accuracy(
    classifier: SyncClassifier, reader: Clips, more: Clips | None, *, resolution: int, seed: int
) -> dict[str, float]:
    """The classifier's balanced accuracy on the real clips of `reader`, by source; 0.5 is guessing.

    Half of it is how often a clip's own sound is accepted, half how often others are refused: the same shifted
    (`shifted_sound`) and those of other sources (from `more` if `reader` has too few), with equal weight.
    """
    accuracy: dict[str, list[float]] = defaultdict(list)
    sample_rate = reader.settings.sample_rate
    for number in range(len(reader)):
        clip = reader[number]
        video_TCHW = centre_crop(clip.frames_THWC, resolution)
        shifted = shifted_sound(clip.wave, len(video_TCHW), sample_rate)
        others = mismatched_sounds(reader, more, number, count=_MISMATCHED_SOUNDS, seed=seed)
        matched_BC = are_matched(classifier, [video_TCHW], [clip.wave, shifted, *others], sample_rate)
        own, *mismatched = matched_BC[0].tolist()
        if others:
            mismatched = [mismatched[0], sum(mismatched[1:]) / len(others)]
        accuracy[clip.source].append((own + 1 - sum(mismatched) / len(mismatched)) / 2)
    return {source: sum(values) / len(values) for source, values in accuracy.items()}
