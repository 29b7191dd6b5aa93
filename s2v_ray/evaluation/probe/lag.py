"""How late is the sound? A frame's picture from the sound of one other frame, at each distance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2v_ray.evaluation.probe.features import Features, Targets
from s2v_ray.evaluation.probe.spectra import BANDS
from s2v_ray.evaluation.probe.units import Fold, Units
from s2v_ray.metrics.bootstrap import Interval, interval

_FURTHEST_SECONDS = 0.5
_RIDGE = 0.01  # of the number of frames, for inputs of variance 1


@dataclass(frozen=True)
class Lags:
    """Explained by lag in frames (positive: the sound is late), and what the best of them gains over lag 0.

    A network that hears the whole clip would make up for a lag; these are linear regressions on a single frame's
    sound, and what they explain is beyond what the first frame does.
    """

    frames: tuple[int, ...]
    explained: tuple[float, ...]
    best_frames: int
    gain: Interval


def score_lags(
    features: Features,
    targets: Sequence[Targets],
    folds: Sequence[Fold],
    units: Units,
    *,
    frames_per_second: float,
    seed: int,
) -> Lags:
    """Explained of held-out clips by the sound up to half a second, or a quarter of a clip, before and after."""
    length = features.spectra_NTD.shape[1]
    furthest = min(round(_FURTHEST_SECONDS * frames_per_second), length // 4)
    lags = range(-furthest, furthest + 1)
    level_NTF = features.spectra_NTD.unflatten(2, (-1, BANDS)).mean(2)
    # The same frames at every lag.
    inner = slice(furthest, length - furthest)
    sounds = [level_NTF[:, inner.start + lag : inner.stop + lag] for lag in lags]
    blind_N, error_LN = torch.zeros(len(level_NTF)), torch.zeros(len(lags), len(level_NTF))
    for fold, target in zip(folds, targets, strict=True):
        train, test = list(fold.train), list(fold.test)
        frames_NTK = target.coefficients_NTK[:, inner]
        first_NTK = target.first_NK[:, None].expand_as(frames_NTK)
        blind_N[test] = _held_out_error(first_NTK, frames_NTK, train, test)
        for row, sound_NTF in enumerate(sounds):
            error_LN[row, test] = _held_out_error(torch.cat([first_NTK, sound_NTF], 2), frames_NTK, train, test)
    unit_N = torch.tensor(units.of_clips)
    blind_U = torch.zeros(len(units.names)).index_add_(0, unit_N, blind_N).clamp_min(1e-9)
    error_LU = torch.zeros(len(lags), len(units.names)).index_add_(1, unit_N, error_LN)
    explained_LU = (1 - error_LU / blind_U).double().numpy()
    mean_L = explained_LU.mean(1)
    best = max(range(len(lags)), key=lambda row: (round(mean_L[row], 6), -abs(lags[row])))
    gain = interval(explained_LU[best] - explained_LU[furthest], seed=seed)
    return Lags(tuple(lags), tuple(np.round(mean_L, 5).tolist()), lags[best], gain)


def _held_out_error(inputs_NTD: Tensor, frames_NTK: Tensor, train: list[int], test: list[int]) -> Tensor:
    """The squared error [N] of the clips `test` of a ridge regression on the clips `train`."""
    train_RD, train_RK = inputs_NTD[train].flatten(0, 1), frames_NTK[train].flatten(0, 1)
    mean_D, deviation_D = train_RD.mean(0), train_RD.std(0, correction=0) + 1e-6
    mean_K = train_RK.mean(0)
    scaled_RD = (train_RD - mean_D) / deviation_D
    normal_DD = scaled_RD.T @ scaled_RD + _RIDGE * len(scaled_RD) * torch.eye(len(mean_D))
    weight_DK = torch.linalg.solve(normal_DD, scaled_RD.T @ (train_RK - mean_K))
    predicted_NTK = ((inputs_NTD[test] - mean_D) / deviation_D) @ weight_DK + mean_K
    error_N: Tensor = (predicted_NTK - frames_NTK[test]).square().sum((1, 2))
    return error_N
