"""A report's scores as rows for people: what each is called, how many digits matter, and which way is better."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from s2v_ray.evaluation.controls import CONTROLS, MODEL
from s2v_ray.evaluation.weights_dir import FILES
from s2v_ray.metrics.i3d import FRAMES


@dataclass(frozen=True)
class Row:
    """One metric."""

    name: str
    label: str
    digits: int


@dataclass(frozen=True)
class Group:
    """Metrics that answer one question."""

    label: str
    rows: tuple[Row, ...]


GROUPS = (
    Group(
        "Does it move when it should?",
        (
            Row("motion_correlation", "motion correlation", 2),
            Row("matched_minus_mismatched", "matched − mismatched", 2),
            Row("lag_frames", "lag, frames (+ is late)", 1),
            Row("onset_f1", "onset F1 within 0.1 s", 2),
            Row("av_align", "AV-Align", 2),
            Row("beat_alignment", "beat alignment", 2),
            Row("sync_classifier", "taken for matched by the sync classifier", 2),
        ),
    ),
    Group(
        "Where and how it should?",
        (
            Row("motion_explained", "motion explained", 2),
            Row("motion_explained_over_picture", "over the frozen image alone", 2),
            Row("l1_moving", "L1 of 1, where it moves", 4),
            Row("psnr_moving", "PSNR in dB, where it moves", 1),
            Row("ssim_moving", "SSIM, where it moves", 3),
        ),
    ),
    Group(
        "Does it look like it?",
        (
            Row("l1", "L1 of 1", 4),
            Row("psnr", "PSNR, dB", 1),
            Row("ssim", "SSIM", 3),
            Row("lpips", "LPIPS", 3),
            Row("fvd", "FVD", 1),
            Row("appearance_error", "appearance error, where nothing moves", 4),
            Row("colour_error", "colour error, CIEDE2000 of chroma", 2),
            Row("flicker", "flicker, where nothing moves", 4),
            Row("sharpness", "sharpness where it moves, log2 (0 is real)", 2),
            Row("temporal_spectrum_distance", "distance of the temporal spectrum", 2),
        ),
    ),
)


def controls(report: dict[str, Any]) -> list[str]:
    """Those that the report has something of."""
    return [control for control in CONTROLS if any(scores.get(control) for scores in report["scores"].values())]


def rows(report: dict[str, Any], group: Group) -> list[Row]:
    """Those of a group that were measured."""
    return [row for row in group.rows if row.name in report["scores"]]


def cells(report: dict[str, Any], row: Row) -> Iterator[str]:
    """A metric's means, one a control; the model's with its interval, and its count where some sources lack it."""
    for control in controls(report):
        score = report["scores"][row.name][control]
        if score is None:
            yield "–"
            continue
        text = signed(score["mean"], row.digits)
        if control == MODEL and score["low"] is not None:
            text += f" [{signed(score['low'], row.digits)}, {signed(score['high'], row.digits)}]"
        if score["count"] < report["counts"]["sources"]:
            text += f" of {score['count']}"
        yield text


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, and no sign where it rounds to zero."""
    return f"{value:z.{digits}f}".replace("-", "−")


def title(report: dict[str, Any]) -> str:
    """What was scored."""
    counts = report["counts"]
    kind = "sources it was trained on" if report["split"] == "train" else f"held-out sources ({report['split']})"
    return f"{counts['clips']} clips of {counts['sources']} {kind}, means with 95 % intervals over sources"


def notes(report: dict[str, Any]) -> list[str]:
    """What to know of the scores, in sentences."""
    told = [_judge_sentence(report)]
    if "fvd" in report["scores"]:
        told.append(_fvd_sentence(report["scores"]["fvd"][MODEL]))
    return told + [f"{name} was not measured: --weights-dir has no {FILES[name]}." for name in report["not_measured"]]


def _judge_sentence(report: dict[str, Any]) -> str:
    """How far the sync classifier is to be believed."""
    accuracy = report["sync_classifier_accuracy"]
    if accuracy is None:
        return "There was nothing to train a sync classifier on."
    return (
        f"The sync classifier, trained on the real clips of the split 'train', is right about {100 * accuracy['mean']:.0f} "
        "% of these sources' real clips with their own, a shifted or another sound."
    )


def _fvd_sentence(score: dict[str, Any] | None) -> str:
    """What FVD may be compared with."""
    if score is None:
        return f"FVD is undefined: it takes at least two windows of {FRAMES} frames."
    return (
        f"FVD is of {score['windows']} windows of {FRAMES} frames, without an interval; the fewer they are, the larger "
        "it is, so compare it only between reports of equally many."
    )


def table(report: dict[str, Any]) -> Table:
    """The report's scores for a terminal."""
    drawn = Table(title=title(report), title_justify="left")
    drawn.add_column("")
    for control in controls(report):
        drawn.add_column(control, justify="right")
    for group in GROUPS:
        drawn.add_row(f"[bold]{group.label}")
        for row in rows(report, group):
            drawn.add_row(f"  {row.label}", *cells(report, row))
    return drawn
