"""`s2v evaluate`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.table import Table

from s2v_ray.cli.flags import Location
from s2v_ray.cli.next_command import command
from s2v_ray.cli.result import Result
from s2v_ray.cli.terminal import console
from s2v_ray.cli.track import TrackReport
from s2v_ray.dataset.collection import find_data_sets
from s2v_ray.storage.own_folders import REPORT, check_output_folder
from s2v_ray.storage.paths import join

if TYPE_CHECKING:
    from s2v_ray.evaluation.report.schema import Report


def evaluate(
    *,
    checkpoint: Location,
    clips: tuple[Location, ...],
    out: Location,
    split: str = "test",
    resampled: Annotated[tuple[Location, ...], tyro.conf.arg(aliases=["--redrawn"])] = (),
    weights_dir: Location | None = None,
    device: str = "auto",
    track: TrackReport = (),
    seed: int = 0,
) -> Result:
    """Score a model on held-out videos, beside the real video, the frozen image and mismatched sounds.

    Args:
        checkpoint: a run (its best checkpoint), one checkpoint, or what s2v export wrote (a folder or a .zip of it).
        clips: what s2v prepare wrote; several folders, globs or URIs are scored together.
        out: the folder for report.html, report.json, figures and videos.
        split: test, val or train.
        resampled: clips of the same synthetic videos, made with s2v synth --resample 1, for the noise ceiling; of
            several --clips in the same order.
        weights_dir: a folder with torchvision's alexnet-owt-7be5be79.pth, to measure LPIPS as well, or pytorch-i3d's
            rgb_imagenet.pt, to measure FVD (half a minute per clip on a CPU), or both. Nothing is downloaded.
        device: auto, cpu or cuda.
        track: add the report and the scores to the entries that s2v train --track made: wandb, mlflow, or both.
        seed: seed for the mismatched sounds and the bootstrap.
    """
    from s2v_ray.cli.progress import ProgressBar
    from s2v_ray.evaluation.report.table import notes
    from s2v_ray.recipes.evaluate import evaluate as run
    from s2v_ray.recipes.evaluate import track_report, tracked_run
    from s2v_ray.tracking.track import found_tracking
    from s2v_ray.training.device import choose_device

    check_output_folder(out, "--out", REPORT)
    tracking = found_tracking(tracked_run(checkpoint), track) if track else None
    with ProgressBar("evaluating") as bar:
        report = run(
            checkpoint,
            find_data_sets(clips),
            out,
            choose_device(device),
            split=split,
            resampled=find_data_sets(resampled) if resampled else None,
            weights_dir=weights_dir,
            seed=seed,
            show=lambda done, total: bar(done / total, f"{done} of {total} clips"),
        )
    console(plain_width=140).print(_table(report))
    print(*notes(report), sep="\n")
    if tracking:
        track_report(tracking, checkpoint, report, out, print)
    print(f"See {out}/report.html; report.json, the figures and the videos are beside it.")
    following = command("generate", checkpoint=checkpoint, image="IMAGE", sound="SOUND", out="video.mp4")
    print(f"Next: {following}")
    return {
        "outputs": {"report": join(out, "report.html"), "scores": join(out, "report.json")},
        "next": [following],
        "checkpoint": report.checkpoint,
        "step": report.step,
        "split": report.split,
        "counts": report.counts,
        "scores": json.loads(report.to_json())["scores"],
        "sync_classifier_accuracy": report.sync_classifier_accuracy,
        "not_measured": report.not_measured,
    }


def _table(report: Report) -> Table:
    from s2v_ray.evaluation.report.table import controls, table, title

    shown = Table(title=title(report), title_justify="left")
    shown.add_column("", min_width=24)
    for control in controls(report):
        shown.add_column(control, justify="right")
    for question, metrics in table(report).items():
        shown.add_row(f"[bold]{question}")
        for label, cells in metrics.items():
            shown.add_row(f"  {label}", *cells)
    return shown
