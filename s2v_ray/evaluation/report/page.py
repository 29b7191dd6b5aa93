"""`report.html`: everything an evaluation found."""

from typing import Any

from s2v_ray.config import config_to_toml
from s2v_ray.evaluation.controls import MISMATCHED
from s2v_ray.evaluation.report.examples import FIGURES, VIDEOS
from s2v_ray.evaluation.report.html import data_uri, render
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.evaluation.report.table import GROUPS, cells, controls, notes, rows, signed, title
from s2v_ray.evaluation.scores import Score
from s2v_ray.storage.files import exists, read_bytes
from s2v_ray.storage.paths import Location, join

HEADLINE = "headline.png"


def report_page(report: Report, out: Location) -> str:
    """The page of a report whose figures and videos are in `out`; it includes the clips' data card if they have one."""
    return render(
        "evaluation/report/templates/report.html.j2",
        title=f"{report.checkpoint} on {report.clips}",
        report=report,
        headline=headline(report),
        figure=data_uri("image/png", join(out, HEADLINE)),
        examples=[_example(report, name, out) for name in report.examples],
        caption=title(report),
        controls=controls(report),
        groups=[
            (group.label, [(row.label, list(cells(report, row))) for row in rows(report, group)]) for group in GROUPS
        ],
        notes=notes(report),
        settings=config_to_toml(report.config),
        card=_card(report.clips),
    )


def headline(report: Report) -> list[str]:
    """What the scores say, in sentences."""
    matched, mismatched = report.mean("motion_correlation"), report.mean("motion_correlation", MISMATCHED)
    gap = _gap_sentence(report.score("matched_minus_mismatched"), report.counts.sources)
    sentences = [
        f"Given its own sound, a video moves like the real one with a correlation of {signed(matched or 0)}; given "
        f"another source's sound, {'–' if mismatched is None else signed(mismatched)}. {gap}"
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


def _gap_sentence(gap: Score | None, sources: int) -> str:
    if gap is None or gap.low is None or gap.high is None:
        return f"{sources} source is too few to say whether the sound drives the motion."
    if gap.low > 0:
        return f"So the sound drives the motion: the gap is {gap.mean:.2f} [{gap.low:.2f}, {gap.high:.2f}]."
    return "These are too close to say that the sound drives the motion."


def _example(report: Report, name: str, out: Location) -> dict[str, Any]:
    example = report.examples[name]
    videos = {kind: join(out, f"{name}_{kind}.mp4") for kind in VIDEOS}
    return {
        "name": name,
        "source": example.source,
        "correlation": signed(example.motion_correlation),
        "videos": [
            {"kind": kind, "uri": data_uri("video/mp4", file), "caption": VIDEOS[kind]}
            for kind, file in videos.items()
            if exists(file)
        ],
        "figures": [data_uri("image/png", join(out, f"{name}_{file}")) for file in FIGURES],
    }


def _card(clips: str) -> dict[str, str] | None:
    text, picture = join(clips, "card.md"), join(clips, "card.png")
    if not (exists(text) and exists(picture)):
        return None
    return {"text": read_bytes(text).decode(errors="replace"), "picture": data_uri("image/png", picture)}
