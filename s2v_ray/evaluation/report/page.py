"""`report.html`: everything an evaluation found."""

from s2v_ray.config import config_to_toml
from s2v_ray.evaluation.controls import MISMATCHED
from s2v_ray.evaluation.report.examples import FIGURES, VIDEOS
from s2v_ray.evaluation.report.html import render
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.evaluation.report.table import controls, notes, signed, table, title
from s2v_ray.evaluation.units import CLIPS, LEAST_UNITS, SOURCES
from s2v_ray.storage.paths import Location

HEADLINE = "headline.png"


def report_page(report: Report, out: Location) -> str:
    """The page of a report whose figures and videos are in `out`; it includes the clips' data card if they have one."""
    return render(
        "evaluation/report/templates/report.html.j2",
        title=f"{report.checkpoint} on {report.clips}",
        report=report,
        out=out,
        headline=headline(report),
        headline_figure=HEADLINE,
        figures=FIGURES,
        videos=VIDEOS,
        caption=title(report),
        controls=controls(report),
        table=table(report),
        notes=notes(report),
        settings=config_to_toml(report.config),
        signed=signed,
    )


def headline(report: Report) -> list[str]:
    """What the scores say, in sentences."""
    matched, mismatched = report.mean("motion_correlation"), report.mean("motion_correlation", MISMATCHED)
    gap = _gap_sentence(report)
    other = "another source's sound" if report.units == SOURCES else "the sound of another source or moment"
    kind = "videos it was trained on" if report.split == "train" else report.held_out
    sentences = [
        f"Scores are of {kind}.",
        f"Given its own sound, a video moves like the real one with a correlation of {signed(matched or 0)}; given "
        f"{other}, {'–' if mismatched is None else signed(mismatched)}. {gap}",
    ]
    explained, lag = report.mean("motion_explained"), report.mean("lag_frames")
    if explained is not None:
        sentences.append(f"The sound explains {signed(100 * explained, 0)} % of where and how things move.")
    if lag is not None:
        off = f"{abs(lag):.1f} frames too {'late' if lag > 0 else 'early'}"
        sentences.append(f"The motion is {'in time with the sound' if abs(lag) <= 1 else off}.")
    error = report.mean("appearance_error")
    if error is not None:
        sentences.append(f"Where nothing moves, pixels are off by {100 * error:.1f} % of their range.")
    return sentences


def _gap_sentence(report: Report) -> str:
    gap = report.score("matched_minus_mismatched")
    if report.units == CLIPS and report.counts.sources < LEAST_UNITS:  # overlapping clips prove less than they seem to
        return "Too few separate moments to say whether the sound drives the motion."
    if gap is None or gap.low is None or gap.high is None:
        return f"Too few {report.units} ({len(report.sources)}) to say whether the sound drives the motion."
    if gap.low > 0:
        return f"So the sound drives the motion: the gap is {gap.mean:.2f} [{gap.low:.2f}, {gap.high:.2f}]."
    return "These are too close to say that the sound drives the motion."
