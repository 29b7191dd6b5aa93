"""`report.html` of a sweep, over all its domains."""

from collections.abc import Sequence
from statistics import mean
from typing import Any

from s2v_ray.evaluation.report.html import render
from s2v_ray.evaluation.report.table import signed
from s2v_ray.storage.paths import Location
from s2v_ray.tuning.trials import CONTROL, PRESET, Trial
from s2v_ray.tuning.verdict import Finding


def sweep_page(findings: Sequence[Finding], out: Location) -> str:
    """The page over all domains, whose figures are in `out`."""
    return render(
        "tuning/templates/sweep.html.j2",
        title=f"Sweep over {', '.join(finding.domain for finding in findings)}",
        out=out,
        findings=findings,
        winners=[finding for finding in findings if finding.best is not None],
        metrics=("motion_explained", "matched_minus_mismatched", "sharpness", "appearance_error"),
        compared=_compared,
        text=_text,
        beside=_beside,
        spread=_spread,
        signed=signed,
        mean=mean,
    )


def _compared(finding: Finding) -> dict[str, Trial | None]:
    """Preset, control and the best trial, by heading."""
    by_kind = {trial.kind: trial for trial in reversed(finding.trials)}
    best = f"best (trial {finding.best.number})" if finding.best else "best"
    return {PRESET: by_kind.get(PRESET), CONTROL: by_kind.get(CONTROL), best: finding.best}


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _beside(value: Any, preset: Any) -> str:
    """A setting with its factor over the preset."""
    if isinstance(value, float) and isinstance(preset, float) and preset > 0:
        return f"{value:.3g} (× {value / preset:.2g})"
    return _text(value)


def _spread(winners: Sequence[Finding], name: str) -> str:
    """How much a setting varies between domains."""
    values = [finding.best.settings.get(name) for finding in winners if finding.best]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < 2 or min(numbers) <= 0:
        return ""
    return f"× {max(numbers) / min(numbers):.2g}"
