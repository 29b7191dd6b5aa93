"""`report.html` of a sweep, over all its domains."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from s2v_ray.evaluation.report.html import data_uri, render
from s2v_ray.evaluation.report.table import signed
from s2v_ray.storage.paths import Location, join
from s2v_ray.tuning.trials import CONTROL, PRESET, Trial
from s2v_ray.tuning.verdict import Finding

_SCORES = ("motion_explained", "matched_minus_mismatched", "sharpness", "appearance_error")


@dataclass(frozen=True)
class _Table:
    """A table of texts; `best` is the index of the row to highlight."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: int | None = None


def sweep_page(findings: Sequence[Finding], out: Location) -> str:
    """The page over all domains, whose figures are in `out`."""
    return render(
        "tuning/templates/sweep.html.j2",
        title=f"Sweep over {', '.join(finding.domain for finding in findings)}",
        differences=_differences(findings),
        domains=[
            {
                "finding": finding,
                "comparison": _comparison(finding),
                "repeats": _repeats(finding),
                "trials": _trials(finding),
                "figures": {
                    title: data_uri("image/png", join(out, finding.domain, file))
                    for title, file in finding.figures.items()
                },
            }
            for finding in findings
        ],
    )


def _differences(findings: Sequence[Finding]) -> _Table | None:
    """The winners' settings side by side, each with its factor over the preset, and how much they vary."""
    best = [(finding, finding.best) for finding in findings if finding.best is not None]
    if not best:
        return None
    rows = [["a gain that repeats", "", *("yes" if finding.is_gain else "no" for finding, _ in best), ""]]
    for name, preset in best[0][0].preset.items():
        values = [trial.settings.get(name) for _, trial in best]
        rows.append([name, _text(preset), *(_beside(value, preset) for value in values), _spread(values)])
    return _Table(["setting", "preset", *(finding.domain for finding, _ in best), "largest over smallest"], rows)


def _comparison(finding: Finding) -> _Table:
    """Preset, control and the best trial, score by score."""
    columns = {
        kind: next((trial for trial in finding.trials if trial.kind == kind), None) for kind in (PRESET, CONTROL)
    }
    columns[f"best (trial {finding.best.number})" if finding.best else "best"] = finding.best
    names = ("score", *_SCORES)
    rows = [[name.replace("_", " "), *(_score(trial, name) for trial in columns.values())] for name in names]
    return _Table(["in the search", *columns], rows)


def _repeats(finding: Finding) -> _Table:
    """The repeats of winner and preset, a row each, with their means."""
    trials = [trial for trial in finding.repeats if trial.state == "complete" and trial.score is not None]
    rows = []
    for kind in dict.fromkeys(trial.kind for trial in trials):
        own = [trial for trial in trials if trial.kind == kind]
        means = [signed(mean(trial.metrics[name] for trial in own), 3) for name in _SCORES]
        scores = [trial.score for trial in own if trial.score is not None]
        rows.append([kind, signed(mean(scores), 3), ", ".join(signed(score, 3) for score in scores), *means])
    return _Table(["repeated", "mean score", "of each seed", *(name.replace("_", " ") for name in _SCORES)], rows)


def _trials(finding: Finding) -> _Table:
    names = list(finding.preset)
    rows = [
        [
            str(trial.number),
            trial.kind,
            trial.state + (f": {trial.failure}" if trial.failure else ""),
            _score(trial, "score"),
            "" if trial.seconds is None else f"{trial.seconds:.0f}",
            *(_text(trial.settings.get(name)) for name in names),
        ]
        for trial in finding.trials
    ]
    best = finding.trials.index(finding.best) if finding.best else None
    return _Table(["trial", "kind", "state", "score", "seconds", *names], rows, best)


def _score(trial: Trial | None, name: str) -> str:
    value = None if trial is None else trial.score if name == "score" else trial.metrics.get(name)
    return "–" if value is None else signed(value, 3)


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _beside(value: Any, preset: Any) -> str:
    if isinstance(value, float) and isinstance(preset, float) and preset > 0:
        return f"{value:.3g} (× {value / preset:.2g})"
    return _text(value)


def _spread(values: Sequence[Any]) -> str:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < 2 or min(numbers) <= 0:
        return ""
    return f"× {max(numbers) / min(numbers):.2g}"
