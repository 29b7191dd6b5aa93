"""A report's scores as rows for people: what each is called and how many digits matter."""

from s2v_ray.evaluation.controls import CONTROLS, MODEL
from s2v_ray.evaluation.pretrained import FILES
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.evaluation.units import CLIPS, SOURCES
from s2v_ray.metrics.i3d import FRAMES

# A ratio of training distances below this is no longer that of a mean motion.
COPIES = 0.5
# Metrics by the question that they answer, each with its label and the digits that matter.
METRICS = {
    "Does it move when it should?": {
        "motion_correlation": ("motion correlation", 2),
        "matched_minus_mismatched": ("matched − mismatched", 2),
        "lag_frames": ("lag in frames (+ is late)", 1),
        "onset_f1": ("onset F1 within 0.1 s", 2),
        "av_align": ("AV-Align", 2),
        "beat_alignment": ("beat alignment", 2),
        "sync_classifier": ("accepted by the sync classifier", 2),
    },
    "Does it move where and how it should?": {
        "motion_explained": ("motion explained", 2),
        "motion_explained_pooled": ("motion explained, sources pooled", 2),
        "motion_explained_over_picture": ("motion explained over the frozen image", 2),
        "l1_moving": ("L1 (of 1) where it moves", 4),
        "psnr_moving": ("PSNR (dB) where it moves", 1),
        "ssim_moving": ("SSIM where it moves", 3),
    },
    "Does it repeat training clips?": {
        "training_distance": ("distance to the nearest training clip (1 − cosine of motion)", 2),
    },
    "Does it look right?": {
        "l1": ("L1 (of 1)", 4),
        "psnr": ("PSNR (dB)", 1),
        "ssim": ("SSIM", 3),
        "lpips": ("LPIPS", 3),
        "fvd": ("FVD", 1),
        "appearance_error": ("appearance error where nothing moves", 4),
        "colour_error": ("colour error (CIEDE2000 of chroma)", 2),
        "flicker": ("flicker where nothing moves", 4),
        "sharpness": ("sharpness where it moves (log2, 0 is real)", 2),
        "taken_for_real": ("windows taken for real by a judge that learnt to tell", 2),
        "temporal_spectrum_distance": ("temporal spectrum distance", 2),
    },
}


def controls(report: Report) -> list[str]:
    """The model and the controls that have any score in the report."""
    return [control for control in CONTROLS if any(scores[control] for scores in report.scores.values())]


def table(report: Report) -> dict[str, dict[str, list[str]]]:
    """The metrics that were measured, by question and label: a cell for each of `controls`."""
    return {
        question: {
            label: [_cell(report, name, digits, control) for control in controls(report)]
            for name, (label, digits) in metrics.items()
            if name in report.scores
        }
        for question, metrics in METRICS.items()
        if any(name in report.scores for name in metrics)
    }


def _cell(report: Report, name: str, digits: int, control: str) -> str:
    """The mean; the model's with its interval; and the number of units that define it, unless all do."""
    score = report.score(name, control)
    if score is None:
        return "–"
    text = signed(score.mean, digits)
    if control == MODEL and score.low is not None and score.high is not None:
        text += f" [{signed(score.low, digits)}, {signed(score.high, digits)}]"
    return f"{text} of {score.count}" if score.count < len(report.sources) else text


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus sign, and no sign if it rounds to zero."""
    return f"{value:z.{digits}f}".replace("-", "−")


def title(report: Report) -> str:
    """What was scored."""
    kind = "videos it was trained on" if report.split == "train" else f"{report.held_out} ({report.split})"
    counts = report.counts
    sources = f"{counts.sources} {'source' if counts.sources == 1 else 'sources'}"
    return f"{counts.clips} clips of {sources}, {kind}, means with 95 % intervals over {report.units}"


def notes(report: Report) -> list[str]:
    """How to read the scores, in sentences."""
    accuracy = report.sync_classifier_accuracy
    sentences = ["There were no clips to train a sync classifier on."]
    if accuracy is not None:
        sentences = [
            "The sync classifier was trained on the real clips of the split 'train'. It is right about "
            f"{100 * accuracy.mean:.0f} % of these sources' real clips with their own, a shifted or another source's "
            "sound."
        ]
    if "fvd" in report.scores:
        score = report.score("fvd")
        sentences.append(
            f"FVD is of {score.windows} windows of {FRAMES} frames, without an interval. It grows as windows get "
            "fewer, so compare it only between reports with the same number."
            if score
            else f"FVD is undefined: it needs at least two windows of {FRAMES} frames."
        )
    if report.units != SOURCES:
        sentences.append(
            f"With fewer than three sources, intervals are over {report.units}: they say how sure the scores are for "
            "other moments of the same videos, not for other videos."
        )
    if report.units == CLIPS:
        sentences.append("Clips may overlap, so that intervals over them are narrower than they should be.")
    if report.data_sets:
        scored = "; ".join(f"{name}: {each.clips} of {each.sources} sources" for name, each in report.data_sets.items())
        sentences.append(f"Clips scored by data set: {scored}.")
    missing = [f"{name} was not measured: --weights-dir has no {FILES[name]}." for name in report.not_measured]
    return sentences + _control_notes(report) + missing


def _control_notes(report: Report) -> list[str]:
    """What the nearest sound is, and whether the model repeats training clips."""
    if report.memorisation is None:
        return []
    ratio, nearer = report.memorisation.ratio, report.memorisation.nearer
    between = "" if ratio.low is None or ratio.high is None else f" [{ratio.low:.2f}, {ratio.high:.2f}]"
    means = "so they look like copies of training clips" if ratio.mean < COPIES else "so they are no copies"
    return [
        "'Nearest sound' is no model: the motion of the training clip whose sound is nearest, played over the image.",
        f"The motion of generated videos is {ratio.mean:.2f}{between} times as far from the nearest training clip's as "
        f"that of the real videos (1: no nearer; 0: copies), and nearer in {100 * nearer.mean:.0f} % of the clips, "
        f"{means} (the mean of what could happen is nearer to everything than what did, so only a ratio below {COPIES} "
        "speaks of copies).",
    ]
