"""How much more would more video explain? Trainings on growing parts of the clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2v_ray.evaluation.probe.cross_validation import Errors, score_units
from s2v_ray.evaluation.probe.network import BATCH
from s2v_ray.evaluation.probe.report import CurvePoint, mean_explained
from s2v_ray.evaluation.probe.units import Fold, Units
from s2v_ray.metrics.bootstrap import Interval, interval

PARTS = (0.05, 0.15, 0.3, 0.6)
_LEAST_UNITS = 2  # to train on
_HELD_OUT = 12  # units, at least, that the curve is measured on
_FRAMES_A_MINUTE = 1_600_000  # that one core trains on, beside reading and scoring
_MOST_EPOCHS = 40
_LEAST_STEPS = 40


@dataclass(frozen=True)
class Training:
    """A fold, or a `part` of its training clips."""

    part: float
    fold_index: int
    fold: Fold


def plan_trainings(folds: Sequence[Fold], units: Units, *, seed: int) -> list[Training]:
    """All folds in full, and growing parts of as many of them as the curve needs, each part within the next."""
    trainings = [Training(1.0, index, fold) for index, fold in enumerate(folds)]
    held_out = 0
    for index, fold in enumerate(folds):
        if held_out >= _HELD_OUT:
            break
        held_out += len({units.of_clips[clip] for clip in fold.test})
        # Where blocks of time are held out, there are too few of them: parts are of clips.
        group = {clip: clip if units.by_time else units.of_clips[clip] for clip in fold.train}
        order = np.random.default_rng([seed, index]).permutation(sorted(set(group.values())))
        for part in PARTS:
            kept = set(order[: round(part * len(order))].tolist())
            train = tuple(clip for clip in fold.train if group[clip] in kept)
            if len(kept) >= _LEAST_UNITS:
                trainings.append(Training(part, index, Fold(train, fold.test)))
    return trainings


def steps_of(trainings: Sequence[Training], *, frames: int, minutes: float) -> list[int]:
    """How many steps each training takes: it depends on the amount of data alone, not on how fast a machine is."""
    weights = np.array([training.part**0.5 for training in trainings])
    affordable = minutes * _FRAMES_A_MINUTE / (BATCH * frames) * weights / weights.sum()
    enough = np.array([_MOST_EPOCHS * len(training.fold.train) / BATCH for training in trainings])
    return [max(_LEAST_STEPS, int(steps)) for steps in np.minimum(affordable, enough)]


def learning_curve(
    trainings: Sequence[Training],
    errors: Sequence[Errors],
    units: Units,
    *,
    clip_seconds: float,
    frames_per_second: float,
    seed: int,
) -> tuple[tuple[CurvePoint, ...], Interval | None]:
    """The points of the curve from the trainings' errors, and what its last step gains, paired by held-out unit.

    All points are of the same folds; a part for which one of them had too few units is left out.
    """
    folds = {training.fold_index for training in trainings if training.part < 1}
    points, values = [], []
    for part in (*PARTS, 1.0) if folds else ():
        chosen = [
            number
            for number, training in enumerate(trainings)
            if training.part == part and training.fold_index in folds
        ]
        if len(chosen) < len(folds):
            continue
        scores = score_units(
            [errors[number] for number in chosen], units, frames_per_second=frames_per_second, seed=seed
        )
        trained = [trainings[number].fold.train for number in chosen]
        points.append(
            CurvePoint(
                part,
                float(np.mean([len({units.of_clips[clip] for clip in clips}) for clips in trained])),
                float(np.mean([len(clips) for clips in trained])) * clip_seconds / 60,
                mean_explained(scores, seed=seed),
            )
        )
        values.append(np.array([score.explained for score in scores]))
    return tuple(points), interval(values[-1] - values[-2], seed=seed) if len(values) > 1 else None
