"""`report.html` of a sweep, over all its domains."""

from collections.abc import Iterable, Sequence
from html import escape
from statistics import mean
from string import Template
from typing import TYPE_CHECKING, Any

from s2v_ray.evaluation.html import data_uri, page
from s2v_ray.evaluation.table import signed
from s2v_ray.storage.paths import Location, join
from s2v_ray.tuning.trials import CONTROL, PRESET, Trial

if TYPE_CHECKING:
    from s2v_ray.tuning.report import Finding

_STYLE = "tr.best { color: var(--ours); font-weight: 600; }\n"
_BODY = Template("""<p>Scores are of held-out clips (the split "val"): motion explained plus matched − mismatched motion
correlation, at best 2, less four for each octave (at most two in all) by which a setting is blurrier, or worse where
nothing moves, than the preset's own run, beyond what may be noise.
Only repeats with fresh seeds count as a gain; the search's own scores are the best of many.</p>
<ul>$verdicts</ul>
<h2>What differs between domains</h2>
$differences
$domains""")
_SCORES = ("motion_explained", "matched_minus_mismatched", "sharpness", "appearance_error")


def sweep_page(findings: Sequence["Finding"], out: Location) -> str:
    """The page over all domains, whose figures lie in `out`."""
    body = _BODY.substitute(
        verdicts="".join(f"<li><b>{escape(finding.domain)}</b>: {escape(finding.told)}</li>" for finding in findings),
        differences=_differences(findings),
        domains="".join(_domain(finding, join(out, finding.domain)) for finding in findings),
    )
    return page(f"Sweep over {', '.join(finding.domain for finding in findings)}", body, style=_STYLE)


def _differences(findings: Sequence["Finding"]) -> str:
    """The winners' settings side by side, each with its factor over the preset, and how far they lie apart."""
    found = [finding for finding in findings if finding.best is not None]
    if not found:
        return "<p>Nothing was found for any domain.</p>"
    rows = [["a gain that repeats", "", *("yes" if finding.verdict.is_gain else "no" for finding in found), ""]]
    for name, preset in found[0].preset.items():
        values = [finding.best.settings.get(name) for finding in found if finding.best]
        rows.append([name, _value(preset), *(_beside(value, preset) for value in values), _spread(values)])
    return _table(["setting", "preset", *(finding.domain for finding in found), "largest over smallest"], rows)


def _domain(finding: "Finding", folder: Location) -> str:
    figures = "".join(
        f'<figure><img src="{data_uri("image/png", join(folder, file))}" alt="{escape(told)}">'
        f"<figcaption>{escape(told)}</figcaption></figure>"
        for told, file in finding.figures.items()
    )
    return (
        f"<h2>{escape(finding.domain)}</h2><p>{escape(finding.told)}</p>{_compared(finding)}{_repeats(finding)}{figures}"
        f"<details><summary>All trials</summary>{_trials(finding)}</details>"
    )


def _compared(finding: "Finding") -> str:
    """Preset, control and the best trial, score by score."""
    shown = {kind: next((trial for trial in finding.trials if trial.kind == kind), None) for kind in (PRESET, CONTROL)}
    columns = {**shown, f"best (trial {finding.best.number})" if finding.best else "best": finding.best}
    rows = [[name.replace("_", " "), *(_of(trial, name) for trial in columns.values())] for name in ("score", *_SCORES)]
    return _table(["in the search", *columns], rows)


def _repeats(finding: "Finding") -> str:
    """Winner and preset again, a row each, with their means."""
    trials = [trial for trial in finding.repeats if trial.state == "complete" and trial.score is not None]
    if not trials:
        return ""
    rows = []
    for kind in dict.fromkeys(trial.kind for trial in trials):
        own = [trial for trial in trials if trial.kind == kind]
        means = [signed(mean(trial.metrics[name] for trial in own), 3) for name in _SCORES]
        scores = [trial.score for trial in own if trial.score is not None]
        told = ", ".join(signed(score, 3) for score in scores)
        rows.append([kind, signed(mean(scores), 3), told, *means])
    return _table(["repeated", "mean score", "of each seed", *(name.replace("_", " ") for name in _SCORES)], rows)


def _trials(finding: "Finding") -> str:
    names = list(finding.preset)
    best = finding.best.number if finding.best else None
    rows = [
        [
            str(trial.number),
            trial.kind,
            trial.state + (f": {trial.failure}" if trial.failure else ""),
            _of(trial, "score"),
            "" if trial.seconds is None else f"{trial.seconds:.0f}",
            *(_value(trial.settings.get(name)) for name in names),
        ]
        for trial in finding.trials
    ]
    return _table(["trial", "kind", "state", "score", "seconds", *names], rows, best)


def _of(trial: Trial | None, name: str) -> str:
    value = None if trial is None else trial.score if name == "score" else trial.metrics.get(name)
    return "–" if value is None else signed(value, 3)


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _beside(value: Any, preset: Any) -> str:
    if isinstance(value, float) and isinstance(preset, float) and preset > 0:
        return f"{value:.3g} (× {value / preset:.2g})"
    return _value(value)


def _spread(values: Sequence[Any]) -> str:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < 2 or min(numbers) <= 0:
        return ""
    return f"× {max(numbers) / min(numbers):.2g}"


def _table(headings: Iterable[str], rows: Iterable[Sequence[str]], best: int | None = None) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr{' class=best' if best is not None and row[0] == str(best) else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
