"""A report's scores as rows for people: what each is called and how many digits matter."""

from collections.abc import Iterator
from dataclasses import dataclass

from s2v_ray.evaluation.controls import CONTROLS, MODEL
from s2v_ray.evaluation.pretrained import FILES
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.evaluation.scores import Score
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
            Row("lag_frames", "lag in frames (+ is late)", 1),
            Row("onset_f1", "onset F1 within 0.1 s", 2),
            Row("av_align", "AV-Align", 2),
            Row("beat_alignment", "beat alignment", 2),
            Row("sync_classifier", "accepted by the sync classifier", 2),
        ),
    ),
    Group(
        "Does it move where and how it should?",
        (
            Row("motion_explained", "motion explained", 2),
            Row("motion_explained_over_picture", "motion explained over the frozen image", 2),
            Row("l1_moving", "L1 (of 1) where it moves", 4),
            Row("psnr_moving", "PSNR (dB) where it moves", 1),
            Row("ssim_moving", "SSIM where it moves", 3),
        ),
    ),
    Group(
        "Does it look right?",
        (
            Row("l1", "L1 (of 1)", 4),
            Row("psnr", "PSNR (dB)", 1),
            Row("ssim", "SSIM", 3),
            Row("lpips", "LPIPS", 3),
            Row("fvd", "FVD", 1),
            Row("appearance_error", "appearance error where nothing moves", 4),
            Row("colour_error", "colour error (CIEDE2000 of chroma)", 2),
            Row("flicker", "flicker where nothing moves", 4),
            Row("sharpness", "sharpness where it moves (log2, 0 is real)", 2),
            Row("temporal_spectrum_distance", "temporal spectrum distance", 2),
        ),
    ),
)


def controls(report: Report) -> list[str]:
    """The model and the controls that have any score in the report."""
    return [control for control in CONTROLS if any(scores[control] for scores in report.scores.values())]


def rows(report: Report, group: Group) -> list[Row]:
    """The metrics of a group that were measured."""
    return [row for row in group.rows if row.name in report.scores]


def cells(report: Report, row: Row) -> Iterator[str]:
    """A metric's means, one a control; the model's with its interval, and the count if some sources don't define it."""
    for control in controls(report):
        score = report.score(row.name, control)
        if score is None:
            yield "–"
            continue
        text = signed(score.mean, row.digits)
        if control == MODEL and score.low is not None and score.high is not None:
            text += f" [{signed(score.low, row.digits)}, {signed(score.high, row.digits)}]"
        if score.count < report.counts.sources:
            text += f" of {score.count}"
        yield text


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, and no sign if it rounds to zero."""
    return f"{value:z.{digits}f}".replace("-", "−")


def title(report: Report) -> str:
    """What was scored."""
    kind = "sources it was trained on" if report.split == "train" else f"held-out sources ({report.split})"
    counts = report.counts
    return f"{counts.clips} clips of {counts.sources} {kind}, means with 95 % intervals over sources"


def notes(report: Report) -> list[str]:
    """How to read the scores, in sentences."""
    sentences = [_sync_classifier_sentence(report.sync_classifier_accuracy)]
    if "fvd" in report.scores:
        sentences.append(_fvd_sentence(report.score("fvd")))
    missing = [f"{name} was not measured: --weights-dir has no {FILES[name]}." for name in report.not_measured]
    return sentences + missing


def _sync_classifier_sentence(accuracy: Score | None) -> str:
    if accuracy is None:
        return "There were no clips to train a sync classifier on."
    return (
        "The sync classifier was trained on the real clips of the split 'train'. It is right about "
        f"{100 * accuracy.mean:.0f} % of these sources' real clips with their own, a shifted or another source's sound."
    )


def _fvd_sentence(score: Score | None) -> str:
    if score is None:
        return f"FVD is undefined: it needs at least two windows of {FRAMES} frames."
    return (
        f"FVD is of {score.windows} windows of {FRAMES} frames, without an interval. It grows as windows get fewer, so "
        "compare it only between reports with the same number."
    )
