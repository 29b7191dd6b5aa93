"""`report.html`: everything an evaluation found."""

from html import escape
from string import Template
from typing import Any

from s2v_ray.config import config_from_dict, config_to_toml
from s2v_ray.evaluation.controls import MISMATCHED, MODEL
from s2v_ray.evaluation.examples import FIGURES, VIDEOS
from s2v_ray.evaluation.html import data_uri, page
from s2v_ray.evaluation.table import GROUPS, cells, controls, notes, rows, signed, title
from s2v_ray.storage.files import exists, read_bytes
from s2v_ray.storage.paths import Location, join

_STYLE = """video { width: 100%; image-rendering: pixelated; background: black; border-radius: 4px; }
.videos { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 1rem; margin: 1rem 0; }
.videos figure { margin: 0; }
.ours figcaption { color: var(--ours); font-weight: 600; }
th[colspan] { padding-top: 1rem; }
pre { font-size: .8rem; overflow-x: auto; }
"""
_BODY = Template("""$headline
<figure><img src="$figure" alt="Motion correlation and motion explained of the model and its controls"></figure>
<h2>Look and listen</h2>
<p>The best, the median and the worst clip by motion correlation. In the strips, the sound stands over the input picture
(green), what the model made of the two (orange) and the real video (red).</p>
$examples
<h2>All scores</h2>
<p>$caption.</p>
<div class="scroll"><table>$table</table></div>
$notes
<h2>Settings</h2>
<details><summary>$checkpoint, step $step</summary><pre>$settings</pre></details>
$card""")


def report_page(report: dict[str, Any], out: Location) -> str:
    """The page of a report whose figures and videos lie in `out`; the clips' own card is on it where there is one."""
    config = config_from_dict(report["config"], "the report")
    body = _BODY.substitute(
        headline="".join(f"<p>{escape(sentence)}</p>" for sentence in headline(report)),
        figure=data_uri("image/png", join(out, "headline.png")),
        examples="".join(_example(name, example, out) for name, example in report["examples"].items()),
        caption=escape(title(report)),
        table=_table(report),
        notes="".join(f"<p>{escape(sentence)}</p>" for sentence in notes(report)),
        checkpoint=escape(report["checkpoint"]),
        step=report["step"],
        settings=escape(config_to_toml(config)),
        card=_card(report["clips"]),
    )
    return page(f"{report['checkpoint']} on {report['clips']}", body, style=_STYLE)


def headline(report: dict[str, Any]) -> list[str]:
    """What the scores say, in sentences."""
    scores, sources = report["scores"], report["counts"]["sources"]
    right, wrong = (scores["motion_correlation"][control]["mean"] for control in (MODEL, MISMATCHED))
    gap = scores["matched_minus_mismatched"][MODEL]
    told = [
        f"With its own sound, a video moves when the real one does with a correlation of {signed(right)}; with "
        f"another source's sound it is {signed(wrong)}. {_verdict(gap, sources)}"
    ]
    explained, lag = scores["motion_explained"][MODEL], scores["lag_frames"][MODEL]
    if explained:
        told.append(f"The sound explains {100 * explained['mean']:.0f} % of where and how things move.")
    if lag:
        frames = abs(lag["mean"])
        told.append(
            "The motion comes in time with the sound."
            if frames <= 1
            else f"The motion comes {frames:.1f} frames too {'late' if lag['mean'] > 0 else 'early'}."
        )
    appearance = scores["appearance_error"][MODEL]
    if appearance:
        told.append(f"Where nothing moves, pixels are off by {100 * appearance['mean']:.1f} % of their range.")
    return told


def _verdict(gap: dict[str, Any] | None, sources: int) -> str:
    if gap is None or gap["low"] is None:
        return f"{sources} source is too few to say whether the sound does it."
    if gap["low"] > 0:
        return f"So it is the sound that does it: {gap['mean']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}] apart."
    return "These are too close to say that the sound does it."


def _example(name: str, example: dict[str, Any], out: Location) -> str:
    correlation = example["scores"][MODEL]["motion_correlation"]
    videos = "".join(
        f'<figure class="{"ours" if kind == "model" else kind}">'
        f'<video controls loop preload="auto" src="{data_uri("video/mp4", join(out, f"{name}_{kind}.mp4"))}"></video>'
        f"<figcaption>{escape(told)}</figcaption></figure>"
        for kind, told in VIDEOS.items()
        if exists(join(out, f"{name}_{kind}.mp4"))
    )
    figures = "".join(
        f'<figure><img src="{data_uri("image/png", join(out, f"{name}_{file}"))}" alt="{escape(name)} clip"></figure>'
        for file in FIGURES
    )
    told = f"The {name} clip: {example['source']}, motion correlation {signed(correlation or 0)}"
    return f'<h3>{escape(told)}</h3><div class="videos">{videos}</div>{figures}'


def _table(report: dict[str, Any]) -> str:
    shown = controls(report)
    lines = ["<tr><th></th>" + "".join(f"<th>{escape(control)}</th>" for control in shown) + "</tr>"]
    for group in GROUPS:
        lines.append(f'<tr><th colspan="{len(shown) + 1}">{escape(group.label)}</th></tr>')
        for row in rows(report, group):
            numbers = "".join(f"<td>{escape(cell)}</td>" for cell in cells(report, row))
            lines.append(f"<tr><td>{escape(row.label)}</td>{numbers}</tr>")
    return "\n".join(lines)


def _card(clips: str) -> str:
    text, picture = join(clips, "card.md"), join(clips, "card.png")
    if not (exists(text) and exists(picture)):
        return ""
    told = escape(read_bytes(text).decode(errors="replace"))
    image = data_uri("image/png", picture)
    return f'<h2>The clips</h2><figure><img src="{image}" alt="The data card"></figure><pre>{told}</pre>'
