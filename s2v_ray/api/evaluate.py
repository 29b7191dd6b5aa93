"""`s2v_ray.evaluate`: a model's scores on held-out videos."""

import logging
from collections.abc import Sequence

from s2v_ray.api.inputs import Path, Paths, data_sets, location, naming_arguments, trackers
from s2v_ray.api.progress import progress_bar
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.recipes.evaluate import evaluate as run
from s2v_ray.recipes.evaluate import track_report, tracked_run
from s2v_ray.storage.own_folders import REPORT, check_output_folder
from s2v_ray.tracking.track import found_tracking
from s2v_ray.tracking.tracker import MLFLOW, WANDB
from s2v_ray.training.device import choose_device

_LOG = logging.getLogger("s2v_ray")


@naming_arguments()
def evaluate(
    checkpoint: Path,
    clips: Paths,
    out: Path,
    *,
    split: str = "test",
    resampled: Paths | None = None,
    weights_dir: Path | None = None,
    device: str = "auto",
    track: str | Sequence[str] = (),
    seed: int = 0,
    progress: bool = True,
) -> Report:
    """Score a model on held-out videos, beside the real video, the frozen image and mismatched sounds.

    Args:
        checkpoint: a run (its best checkpoint), one checkpoint, or what `s2v export` wrote.
        clips: what `prepare` wrote; several folders, globs or URIs are scored together.
        out: the folder for report.html, report.json, figures and videos.
        split: test, val or train.
        resampled: clips of the same synthetic videos, made with s2v synth --resample 1, for the noise ceiling.
        weights_dir: a folder with the weights of AlexNet (LPIPS) or of I3D (FVD); nothing is downloaded.
        device: auto, cpu or cuda.
        track: add the report and the scores to the entries that `train(track=...)` made: wandb, mlflow, or both.
        seed: seed for the mismatched sounds and the bootstrap.
        progress: whether to show progress.

    Returns what report.json holds: `report.scores` by metric and control, each None or with `mean`, `low`, `high` (a
    95 % interval over sources) and `count`; `report.mean("motion_correlation")` is the model's, and
    `report.mean("motion_correlation", "mismatched sound")` a control's. Raises UserError `no_checkpoint`, `no_clips`,
    `wrong_settings` for clips of other rates, `foreign_folder`.
    """
    model, where = location(checkpoint, "--checkpoint"), location(out, "--out")
    check_output_folder(where, "--out", REPORT)
    names = trackers(track, (WANDB, MLFLOW))
    tracking = found_tracking(tracked_run(model), names) if names else None
    with progress_bar("evaluating", shown=progress) as show:
        report = run(
            model,
            data_sets(clips),
            where,
            choose_device(device),
            split=split,
            resampled=data_sets(resampled, "--resampled") if resampled else None,
            weights_dir=location(weights_dir, "--weights-dir") if weights_dir else None,
            seed=seed,
            show=lambda done, total: show(done / total, f"{done} of {total} clips"),
        )
    if tracking:
        track_report(tracking, model, report, where, _LOG.warning)
    return report
