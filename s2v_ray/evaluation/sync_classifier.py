"""The sync classifier: a small network that tells whether a video's motion belongs to a sound.

It learns from the training split's real clips to tell a clip's own sound from the same shifted and from other sources'
sounds. Motion and sound each become a signal over time, of a few channels. The two are correlated at every shift (round
the clip); they belong together where they correlate well as they lie, and nearly as well as at the best shift.

It looks at pictures of 16 x 16 pixels, in training blurred, brightened, mirrored, moved and with noise at random, so
that it goes by the motion, not by what a generated video's pixels look like.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2v_ray.dataset.pixels import centre_crop, wave_to_float
from s2v_ray.dataset.reader import Clip, ClipReader
from s2v_ray.evaluation.controls import envelope_autocorrelation, mismatched_sounds, shifted_sound
from s2v_ray.metrics.bands import band_levels
from s2v_ray.training.threads import at_most_threads

_SIZE = 16
_CHANNELS, _HIDDEN, _PICTURE = 16, 48, 12
_STEPS, _BATCH, _LEARNING_RATE, _WEIGHT_DECAY, _DROPOUT = 120, 24, 4e-3, 0.05, 0.1
_MOST_CLIPS = 300  # to learn from, evenly spread over what there is
# A sound is mismatched when it is shifted by a fifteenth of the clip or more, to where it is unlike itself.
_LEAST_SHIFT, _UNLIKE = 1 / 15, 0.4
_MISMATCHED_SOUNDS = 2
# Logits per unit of correlation, and the correlation from which on a sound is taken for matched.
_STEEPNESS, _THRESHOLD = 16.0, 0.5


class SyncClassifier(nn.Module):
    """Logits of B videos' motion belonging to C sounds of `bands` bands, at every shift of the sound."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.picture = nn.Sequential(
            nn.Conv2d(3, _PICTURE, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(_PICTURE, 2 * _PICTURE, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Dropout(_DROPOUT),
            nn.Linear(2 * _PICTURE * (_SIZE // 4) ** 2, _HIDDEN),
            nn.GELU(),
        )
        self.motion = _over_time(_HIDDEN)
        self.sound = _over_time(2 * bands)

    def forward(self, look_BTHW: Tensor, heard_CTF: Tensor) -> Tensor:
        """Pictures as `look` and sounds as `listen` make them, to logits [B, C, T]: above 0 is taken for matched.

        Entry d is for the sound that is d frames earlier.
        """
        motion_BDT, sound_CDT = self._motion(look_BTHW), self._sound(heard_CTF)
        frames = motion_BDT.shape[-1]
        spectrum = torch.einsum("bdf,cdf->bcf", torch.fft.rfft(motion_BDT).conj(), torch.fft.rfft(sound_CDT))
        correlation_BCT = torch.fft.irfft(spectrum, n=frames) / frames
        short_of_best = correlation_BCT.amax(-1, keepdim=True) - correlation_BCT
        return _STEEPNESS * (correlation_BCT - short_of_best - _THRESHOLD)

    def _motion(self, look_BTHW: Tensor) -> Tensor:
        """Motion as a signal [B, D, T]: from steps, their size, and what differs from the mean picture."""
        step = functional.pad(look_BTHW.diff(dim=1), (0, 0, 0, 0, 1, 0))
        place = look_BTHW - look_BTHW.mean(1, keepdim=True)
        # Relative to the clip's own, for it is when and where things move that counts, not how much.
        step, place = _relative(step, 0.003), _relative(place, 0.01)
        seen = self.picture(torch.stack([step, step.abs(), place], 2).flatten(0, 1))
        return _standardised(self.motion(seen.unflatten(0, look_BTHW.shape[:2]).transpose(1, 2)))

    def _sound(self, heard_CTF: Tensor) -> Tensor:
        level = _relative(heard_CTF - heard_CTF.mean((1, 2), keepdim=True), 1.0)
        step = functional.pad(level.diff(dim=1), (0, 0, 1, 0))
        return _standardised(self.sound(torch.cat([level, step], 2).transpose(1, 2)))


def _over_time(channels: int) -> nn.Sequential:
    """Convolutions that see eight frames before and behind. Replicated ends: a still video stays constant."""

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
    """Values by the root of their mean square, clip by clip; `least` keeps noise small."""
    return values / (values.square().mean(tuple(range(1, values.ndim)), keepdim=True).sqrt() + least)


def _standardised(signal_BDT: Tensor) -> Tensor:
    """Without each channel's mean over time, and of mean square 1 in all; zero where nothing changes."""
    signal_BDT = signal_BDT - signal_BDT.mean(-1, keepdim=True)
    return signal_BDT / (signal_BDT.square().sum(1, keepdim=True).mean(-1, keepdim=True).sqrt() + 0.01)


def look(video_TCHW: Tensor) -> Tensor:
    """What the judge sees of a video in [-1, 1]: grey pictures [T, 16, 16]."""
    return functional.adaptive_avg_pool2d(video_TCHW.float().mean(1, keepdim=True), _SIZE)[:, 0]


def listen(wave: np.ndarray, frames: int, sample_rate: int) -> Tensor:
    """What the judge hears of a sound, int16 [S]: the levels of its bands, [T, F]."""
    return band_levels(wave_to_float(torch.from_numpy(wave.copy())), frames=frames, sample_rate=sample_rate)


def taken_for_matched(judge: SyncClassifier, video_TCHW: Tensor, wave: np.ndarray, sample_rate: int) -> bool:
    """Whether the judge takes a video [T, C, H, W] in [-1, 1] to belong to a sound, int16 [S], as long."""
    return _taken(judge, video_TCHW, [wave], sample_rate)[0]


@torch.no_grad()
def _taken(judge: SyncClassifier, video_TCHW: Tensor, waves: list[np.ndarray], sample_rate: int) -> list[bool]:
    """The same for each of some sounds."""
    heard_CTF = torch.stack([listen(wave, len(video_TCHW), sample_rate) for wave in waves])
    return (judge(look(video_TCHW)[None], heard_CTF)[0, :, 0] > 0).tolist()


@dataclass(frozen=True)
class _Lesson:
    """The clips to learn from. `unlike_NT`: the shifts at which a sound is mismatched; `source_N` numbers sources."""

    look_NTHW: Tensor
    heard_NTF: Tensor
    unlike_NT: Tensor
    source_N: Tensor


def train_sync_classifier(
    clips: ClipReader | Sequence[Clip], *, sample_rate: int, resolution: int, seed: int
) -> SyncClassifier | None:
    """A judge that has learned from real clips, of one length; None where there are none.

    The same clips and seed give the same judge; the global random state stays as it was. Takes some ten seconds on
    two CPU cores for clips of 120 frames.
    """
    if not len(clips):
        return None
    # One thread: sums in the same order on every machine, and products this small gain little from more.
    with at_most_threads(1), torch.random.fork_rng(devices=[]):
        lesson = _lesson(clips, sample_rate, resolution)
        torch.manual_seed(seed)
        judge = SyncClassifier(lesson.heard_NTF.shape[-1])
        optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=_STEPS, pct_start=0.2)
        for _ in range(_STEPS):
            chosen = torch.randperm(len(lesson.source_N))[:_BATCH]
            look_BTHW, heard_BTF = _varied(lesson.look_NTHW[chosen], lesson.heard_NTF[chosen])
            loss = _loss(judge(look_BTHW, heard_BTF), lesson.unlike_NT[chosen], lesson.source_N[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    return judge.eval()


def _lesson(clips: ClipReader | Sequence[Clip], sample_rate: int, resolution: int) -> _Lesson:
    looks, heard, unlike, sources = [], [], [], []
    for number in np.unique(np.linspace(0, len(clips) - 1, _MOST_CLIPS).round().astype(int)).tolist():
        clip = clips[number]
        frames = len(clip.frames_THWC)
        distance_T = np.minimum(np.arange(frames), frames - np.arange(frames))
        far_T = distance_T >= max(1, round(_LEAST_SHIFT * frames))
        looks.append(look(centre_crop(clip.frames_THWC, resolution)))
        heard.append(listen(clip.wave, frames, sample_rate))
        unlike.append(torch.from_numpy(far_T & (envelope_autocorrelation(clip.wave, frames) < _UNLIKE)))
        sources.append(clip.source)
    source_N = torch.tensor([sources.index(source) for source in sources])
    return _Lesson(torch.stack(looks), torch.stack(heard), torch.stack(unlike), source_N)


def _varied(look_BTHW: Tensor, heard_BTF: Tensor) -> tuple[Tensor, Tensor]:
    """The same motion and sound, otherwise looked at and recorded."""
    batch, frames = look_BTHW.shape[:2]

    def uniform() -> Tensor:
        return torch.rand(batch, 1, 1, 1)

    blurred = functional.avg_pool2d(functional.pad(look_BTHW, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    look_BTHW = torch.lerp(look_BTHW, blurred, uniform())
    look_BTHW = look_BTHW * (0.6 + 0.8 * uniform()) + 0.3 * (uniform() - 0.5)
    look_BTHW = torch.where(uniform() < 0.5, look_BTHW.flip(-1), look_BTHW)
    down, across = torch.randint(-1, 2, (2,)).tolist()
    look_BTHW = look_BTHW.roll((down, across), (2, 3)) + 0.02 * uniform() * torch.randn(look_BTHW.shape)
    heard_BTF = heard_BTF + torch.randn(heard_BTF.shape)  # by a decibel
    start = int(torch.randint(frames, ()))
    return look_BTHW.roll(start, 1), heard_BTF.roll(start, 1)


def _loss(logits_BBT: Tensor, unlike_BT: Tensor, source_B: Tensor) -> Tensor:
    """Binary cross-entropy; matched and mismatched weigh alike, and of these the shifted and the other sources'."""
    own_BT = logits_BBT.diagonal().T
    matched = functional.softplus(-own_BT[:, 0]).mean()
    others = logits_BBT[source_B[:, None] != source_B]
    kinds = [functional.softplus(logits).mean() for logits in (own_BT[unlike_BT], others) if logits.numel()]
    return matched + sum(kinds, torch.zeros(())) / max(len(kinds), 1)


def sync_classifier_accuracy(
    judge: SyncClassifier, reader: ClipReader, more: ClipReader | None, *, resolution: int, seed: int
) -> dict[str, float]:
    """How often the judge is right about the real clips of `reader`, one figure a source; 0.5 is guessing.

    Half of it is how often it takes a clip's own sound for matched, half how often it refuses others: the same shifted
    (`shifted_sound`) and those of other sources (of `more` where `reader` has too few), which weigh alike.
    """
    right: dict[str, list[float]] = defaultdict(list)
    sample_rate = reader.settings.sample_rate
    for number in range(len(reader)):
        clip = reader[number]
        video_TCHW = centre_crop(clip.frames_THWC, resolution)
        own, shifted, *others = _taken(
            judge,
            video_TCHW,
            [
                clip.wave,
                shifted_sound(clip.wave, len(video_TCHW), sample_rate),
                *mismatched_sounds(reader, more, number, count=_MISMATCHED_SOUNDS, seed=seed),
            ],
            sample_rate,
        )
        mismatched = [float(shifted), sum(others) / len(others)] if others else [float(shifted)]
        right[clip.source].append((own + 1 - sum(mismatched) / len(mismatched)) / 2)
    return {source: sum(values) / len(values) for source, values in right.items()}
