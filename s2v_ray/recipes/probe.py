"""What `s2v probe` does: finds out in a minute whether clips can be learnt, and writes what it found."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import torch

from s2v_ray.dataset.collection import Clips, DataSets, locations, open_clips, places
from s2v_ray.dataset.reader import card_columns
from s2v_ray.errors import UserError
from s2v_ray.evaluation.probe.advice import advice
from s2v_ray.evaluation.probe.components import principal_components
from s2v_ray.evaluation.probe.cross_validation import held_out_errors, score_units
from s2v_ray.evaluation.probe.features import read_features, read_targets
from s2v_ray.evaluation.probe.figure import probe_figure
from s2v_ray.evaluation.probe.lag import score_lags
from s2v_ray.evaluation.probe.learning_curve import learning_curve, plan_trainings, steps_of
from s2v_ray.evaluation.probe.report import ProbeReport, mean_explained, pooled
from s2v_ray.evaluation.probe.units import find_units, make_folds
from s2v_ray.evaluation.validation import spread_clips
from s2v_ray.metrics.bootstrap import interval
from s2v_ray.recipes.copies import refuse_copies
from s2v_ray.storage.files import make_folder, write_bytes
from s2v_ray.storage.paths import join
from s2v_ray.training.threads import at_most_threads

_FRAMES_A_MINUTE = 60_000  # that are read, beside training
_READING, _TRAINING = 0.15, 0.65  # parts of the time: of each of two readings, and of all trainings

Show = Callable[[float, str], None]  # called with the part done, 0..1, and what is being done


def probe(
    clips: DataSets,
    out: str,
    *,
    splits: Sequence[str],
    minutes: float = 1.0,
    seed: int = 0,
    show: Show = lambda part, text: None,
) -> tuple[ProbeReport, list[str]]:
    """Probe the clips of some splits, write `probe.json` and `probe.png` to `out`; returns the report and the advice.

    Everything but the time it takes depends on clips, seed and `minutes` alone. Raises UserError for values out of
    range, and if there are too few clips to hold any out.
    """
    for flag, value, valid in (("--seed", seed, seed >= 0), ("--minutes", minutes, 0 < minutes < float("inf"))):
        if not valid:
            raise UserError(
                "out_of_range", f"{flag} is {value}, but must be {'at least' if flag == '--seed' else 'above'} 0."
            )
    refuse_copies(clips, any_split=True)
    reader = open_clips(clips, splits)
    if not len(reader):
        raise UserError("no_clips", f"'{places(clips)}' has no clips in {', '.join(splits)}; prepare more videos.")
    # One thread: sums have the same order on every machine, and products this small gain little from more.
    with at_most_threads(1):
        report = _probe(reader, clips, splits, minutes, seed, show)
    sentences = advice(report)
    make_folder(out)
    probe_figure(join(out, "probe.png"), report)
    write_bytes(join(out, "probe.json"), report.to_json(sentences).encode())
    return report, sentences


def _probe(reader: Clips, clips: DataSets, splits: Sequence[str], minutes: float, seed: int, show: Show) -> ProbeReport:
    settings = reader.settings
    frames, seconds, rate = settings.frames, float(settings.seconds), float(settings.rate)
    indices = spread_clips(reader.sources, int(minutes * _FRAMES_A_MINUTE / frames))
    features = read_features(reader, indices, seed=seed, show=partial(_show_reading, show, 0.0, "sounds"))
    units = find_units(features.sources, features.start_seconds, seconds)
    folds = make_folds(units, features.sources, features.start_seconds, seconds, seed=seed)
    trainings = plan_trainings(folds, units, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        components = [
            principal_components(features.residuals_NMP[list(training.fold.train)].flatten(0, 1))
            for training in trainings
        ]
    targets = read_targets(reader, indices, components, show=partial(_show_reading, show, _READING, "frames"))
    steps = steps_of(trainings, frames=frames, minutes=minutes)
    errors = []
    for number, (training, target) in enumerate(zip(trainings, targets, strict=True)):
        show(2 * _READING + _TRAINING * sum(steps[:number]) / sum(steps), f"training {number + 1} of {len(trainings)}")
        errors.append(held_out_errors(features, target, training.fold, units, steps=steps[number], seed=seed))
    show(2 * _READING + _TRAINING, "scoring")
    scores = score_units(errors[: len(folds)], units, frames_per_second=rate, seed=seed)
    lags = score_lags(features, targets[: len(folds)], folds, units, frames_per_second=rate, seed=seed)
    curve, last_gain = learning_curve(trainings, errors, units, clip_seconds=seconds, frames_per_second=rate, seed=seed)
    show(1.0, "done")
    return ProbeReport(
        clips=reader.location,
        splits=tuple(splits),
        seed=seed,
        steps=sum(steps),
        sources=len(set(features.sources)),
        clips_probed=len(indices),
        clips_found=len(reader),
        seconds=len(indices) * seconds,
        by_time=units.by_time,
        explained=mean_explained(scores, seed=seed),
        explained_pooled=pooled(scores),
        shifted=interval([unit.shifted for unit in scores], seed=seed),
        matched_minus_shifted=interval([unit.explained - unit.shifted for unit in scores], seed=seed),
        ceiling=interval([unit.ceiling for unit in scores], seed=seed),
        frame_shift=(features.shift_N.sum() / features.grey_N.sum().clamp_min(1e-9)).item(),
        camera_motion=median(value for each in locations(clips) for value in card_columns(each)["camera_motion"]),
        frame_rate=rate,
        stabilize=settings.stabilize,
        fix_lag=settings.fix_lag,
        lags=lags,
        curve=curve,
        last_gain=last_gain,
        units=tuple(scores),
        clips_by_data_set=dict(zip(locations(clips), reader.counts, strict=True)),
    )


def _show_reading(show: Show, before: float, what: str, done: int, total: int) -> None:
    show(before + _READING * done / total, f"reading {what}: {done} of {total} clips")
