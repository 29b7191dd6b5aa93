"""What a network explains of clips that were held out from its training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2v_ray.evaluation.controls import MISMATCHED_SOUNDS
from s2v_ray.evaluation.probe.features import Features, Targets
from s2v_ray.evaluation.probe.network import Predictor, train_predictor
from s2v_ray.evaluation.probe.spectra import BANDS
from s2v_ray.evaluation.probe.units import Fold, Units
from s2v_ray.metrics.bootstrap import interval
from s2v_ray.metrics.motion_explained import motion_explained

_TINY = 1e-9
_LEAST = -1.0  # of what is explained of a unit: one that hardly moves must not decide the mean over all


@dataclass(frozen=True)
class Errors:
    """Squared errors [N, T] in pixels of N held-out clips, the indices of which are `clips`."""

    clips: tuple[int, ...]
    matched: Tensor  # of the prediction from a clip's own sound
    shifted: Tensor  # from the same, shifted in time
    blind: Tensor  # of the mean prediction from other units' sounds
    frozen: Tensor  # of the first frame held still
    beyond: Tensor  # of what the components leave out


@dataclass(frozen=True)
class UnitScore:
    """What the sound explains of one held-out unit, at least -1; its interval over seconds is None if it lasts one."""

    name: str
    clips: int
    explained: float
    low: float | None
    high: float | None
    shifted: float  # explained by shifted sound
    ceiling: float  # explained by the true components
    baseline_error: float  # squared error of the better sound-blind baseline
    error: float  # squared error of the prediction


def held_out_errors(features: Features, targets: Targets, fold: Fold, units: Units, *, steps: int, seed: int) -> Errors:
    """Train on a fold's training clips, and predict those that are held out. The same seed gives the same errors."""
    train, test = list(fold.train), list(fold.test)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        predict = train_predictor(
            features.spectra_NTD[train],
            targets.first_NK[train],
            targets.coefficients_NTK[train],
            bands=BANDS,
            steps=steps,
        )
    sound_BTD, first_BK = features.spectra_NTD[test], targets.first_NK[test]
    shifted_BTD = torch.stack([features.spectra_NTD[clip].roll(features.shifts[clip], 0) for clip in test])
    beyond_BT = targets.beyond_NT[test]

    def error(coefficients_BTK: Tensor) -> Tensor:
        # Components are orthonormal: what they leave out adds to the error within them.
        return (coefficients_BTK - targets.coefficients_NTK[test]).square().sum(2) + beyond_BT

    return Errors(
        fold.test,
        matched=error(predict(sound_BTD, first_BK)),
        shifted=error(predict(shifted_BTD, first_BK)),
        blind=error(_blind(predict, features, first_BK, fold, units, seed)),
        frozen=features.frozen_NT[test],
        beyond=beyond_BT,
    )


def _blind(predict: Predictor, features: Features, first_BK: Tensor, fold: Fold, units: Units, seed: int) -> Tensor:
    """The mean prediction from up to MISMATCHED_SOUNDS clips of other units."""
    random, unit_N = np.random.default_rng(seed), np.array(units.of_clips)
    others = [random.permutation(np.flatnonzero(unit_N != unit_N[clip]))[:MISMATCHED_SOUNDS] for clip in fold.test]
    count = min(map(len, others))
    drawn = [[int(some[number]) for some in others] for number in range(count)]
    return torch.stack([predict(features.spectra_NTD[clips], first_BK) for clips in drawn]).mean(0)


def score_units(errors: Sequence[Errors], units: Units, *, frames_per_second: float, seed: int) -> list[UnitScore]:
    """The score of each unit that was held out, in the units' order, from the summed errors of its clips."""
    scores = []
    for unit, name in enumerate(units.names):
        own = [(each, [row for row, clip in enumerate(each.clips) if units.of_clips[clip] == unit]) for each in errors]
        for each, rows in own:
            if rows:
                scores.append(_unit_score(name, each, rows, max(1, round(frames_per_second)), seed))
    return scores


def _unit_score(name: str, errors: Errors, rows: list[int], second: int, seed: int) -> UnitScore:
    frozen, blind = (kind[rows].sum().item() for kind in (errors.frozen, errors.blind))
    baseline_NT = errors.frozen[rows] if frozen <= blind else errors.blind[rows]

    def explained(error_NT: Tensor) -> float:
        return max(_LEAST, motion_explained(model=error_NT[rows].sum().item(), frozen=frozen, sound_blind=blind))

    baseline, gain = _by_second(baseline_NT, second), _by_second(baseline_NT - errors.matched[rows], second)
    # Mean of gains over the mean baseline: their mean is what is explained of the whole unit.
    over = interval((gain / max(baseline.mean(), _TINY)).tolist(), seed=seed)
    return UnitScore(
        name,
        len(rows),
        explained(errors.matched),
        over.low,
        over.high,
        explained(errors.shifted),
        explained(errors.beyond),
        min(frozen, blind),
        errors.matched[rows].sum().item(),
    )


def _by_second(error_NT: Tensor, second: int) -> np.ndarray:
    """Sums over a second of a clip each; a clip's rest counts to its last."""
    starts = range(0, max(1, error_NT.shape[1] - second + 1), second)
    return np.add.reduceat(error_NT.double().numpy(), list(starts), axis=1).ravel()
