"""What the probe needs of clips: their spectra, and their frames as few numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2v_ray.dataset.collection import Clips
from s2v_ray.dataset.reader import Clip
from s2v_ray.evaluation.controls import envelope_autocorrelation, uninformative_shift
from s2v_ray.evaluation.probe.components import Components
from s2v_ray.evaluation.probe.frame_shift import frame_shift_errors
from s2v_ray.evaluation.probe.spectra import probe_ears
from s2v_ray.training.data.pixels import centre_crop, wave_to_float

_RESOLUTION = 64  # as `s2v evaluate` scores the presets; at 32 pixels everything looks more predictable
_SAMPLED_FRAMES = 3000  # to find components in, over all clips

Show = Callable[[int, int], None]  # called with how many clips of how many are done


@dataclass(frozen=True)
class Features:
    """Of N clips of T frames: what does not depend on which of them are held out."""

    sources: tuple[str, ...]
    start_seconds: tuple[float, ...]
    spectra_NTD: Tensor  # log-mel
    shifts: tuple[int, ...]  # in frames, to make `controls.shifted_sound`
    residuals_NMP: Tensor  # of M frames of each clip, to find components in
    frozen_NT: Tensor  # squared error of the first frame held still
    grey_N: Tensor  # squared difference of grey frames to the first one
    shift_N: Tensor  # the part of it that a shift of the whole frame explains


@dataclass(frozen=True)
class Targets:
    """The frames of N clips in some components, as differences from each clip's first frame."""

    coefficients_NTK: Tensor
    beyond_NT: Tensor  # squared error of what the components leave out
    first_NK: Tensor  # the first frame itself


def read_features(reader: Clips, indices: Sequence[int], *, seed: int, show: Show) -> Features:
    """The features of some clips."""
    settings = reader.settings
    sampled = min(settings.frames, max(1, _SAMPLED_FRAMES // len(indices)))
    random = torch.Generator().manual_seed(seed)
    ears = probe_ears(settings.samples_per_frame, settings.sample_rate)
    rows = []
    for done, index in enumerate(indices):
        clip = reader[index]
        wave_1S = wave_to_float(torch.from_numpy(clip.wave.copy()))[None]
        spectra_TD = ears.spectra(wave_1S)[0]
        video_TCHW, residual_TP = _pixels(clip)
        chosen = torch.randperm(settings.frames, generator=random)[:sampled]
        grey_T, shift_T = frame_shift_errors(video_TCHW)
        frozen_T = residual_TP.square().sum(1)
        rows.append((spectra_TD, residual_TP[chosen], frozen_T, grey_T.sum(), shift_T.sum(), _shift(clip), clip))
        show(done + 1, len(indices))
    spectra, residuals, frozen, grey, shift, shifts, clips = zip(*rows, strict=True)
    return Features(
        sources=tuple(clip.source for clip in clips),
        start_seconds=tuple(clip.start_seconds for clip in clips),
        spectra_NTD=torch.stack(spectra),
        shifts=shifts,
        residuals_NMP=torch.stack(residuals),
        frozen_NT=torch.stack(frozen),
        grey_N=torch.stack(grey),
        shift_N=torch.stack(shift),
    )


def read_targets(
    reader: Clips, indices: Sequence[int], components: Sequence[Components], *, show: Show
) -> list[Targets]:
    """The frames of some clips in each of `components`."""
    # All at once, since most of the time is for reading pixels.
    stacked = torch.cat([torch.cat([each.basis_KP, each.mean_P[None]]) for each in components]).T.contiguous()
    sizes = [len(each.basis_KP) + 1 for each in components]
    rows: list[list[tuple[Tensor, Tensor, Tensor]]] = [[] for _ in components]
    for done, index in enumerate(indices):
        video_TCHW, residual_TP = _pixels(reader[index])
        frozen_T = residual_TP.square().sum(1)
        along = (residual_TP @ stacked).split(sizes, 1)
        first = (video_TCHW[0].flatten() @ stacked).split(sizes)
        for row, each, along_TK, first_K in zip(rows, components, along, first, strict=True):
            coefficients_TK = along_TK[:, :-1] - each.basis_KP @ each.mean_P
            centred_T = frozen_T - 2 * along_TK[:, -1] + each.mean_P.square().sum()
            beyond_T = (centred_T - coefficients_TK.square().sum(1)).clamp_min(0)
            row.append((coefficients_TK, beyond_T, first_K[:-1]))
        show(done + 1, len(indices))
    return [Targets(*map(torch.stack, zip(*row, strict=True))) for row in rows]


def _pixels(clip: Clip) -> tuple[Tensor, Tensor]:
    """A clip's frames [T, C, H, W], and their differences from the first one, [T, P]."""
    video_TCHW = centre_crop(clip.frames_THWC, _RESOLUTION)
    return video_TCHW, (video_TCHW - video_TCHW[:1]).flatten(1)


def _shift(clip: Clip) -> int:
    return uninformative_shift(envelope_autocorrelation(clip.wave, len(clip.frames_THWC)))
