"""What a sweep found for a domain, and whether the winner's gain is more than the luck of a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean
from typing import Any

from s2v_ray.evaluation.report.table import signed
from s2v_ray.tuning.trials import CONTROL, PRESET, WINNER, Trial, best_trial

# Three seeds a side that don't overlap: one of the twenty ways to divide six.
_LEVEL = 0.05


@dataclass(frozen=True)
class Finding:
    """What the sweep found for one domain. `figures` are file names in its folder, by title."""

    domain: str
    trials: list[Trial]
    repeats: list[Trial]
    preset: dict[str, Any]
    best: Trial | None
    is_gain: bool
    verdict: str
    figures: dict[str, str]


def verdict_of(trials: Sequence[Trial], repeats: Sequence[Trial]) -> tuple[bool, str]:
    """Whether the best trial is a gain outside the noise, and what follows, in sentences.

    Only repeats with fresh seeds count: the search's own scores are the best of many.
    """
    is_gain, sentence = _gain(trials, repeats)
    return is_gain, f"{sentence} {_control_sentence(trials)}".strip()


def _gain(trials: Sequence[Trial], repeats: Sequence[Trial]) -> tuple[bool, str]:
    best = best_trial(trials)
    if best is None:
        failed = sum(trial.state == "failed" for trial in trials)
        return False, f"No trial finished its training; {failed} of {len(trials)} failed."
    if best.kind == PRESET:
        return False, "The sweep found nothing better than the preset; keep it."
    preset = _scores(repeats, PRESET, {})
    winner = _scores(repeats, WINNER, best.settings)
    if not preset or not winner:
        return False, f"Trial {best.number} scored best, but was not repeated: its gain may be the luck of a seed."
    gain, chance = mean(winner) - mean(preset), chance_of(winner, preset)
    compared = (
        f"trial {best.number} over the preset: {signed(gain, 3)} ({_range(winner)} against {_range(preset)}, "
        f"{len(winner)} and {len(preset)} fresh seeds; by chance in {100 * chance:.0f} % of cases)"
    )
    if chance <= _LEVEL:
        return True, f"A gain outside the noise, of {compared}."
    return False, f"The sweep found nothing outside the noise; {compared}; keep the preset."


def _control_sentence(trials: Sequence[Trial]) -> str:
    """What the adversarial losses are worth, by the one run without them."""
    control = next((trial for trial in trials if trial.kind == CONTROL and trial.state == "complete"), None)
    best = best_trial(trials)
    if control is None or best is None or control.score is None or best.score is None:
        return ""
    scores = f"{signed(control.score, 3)}, the best trial {signed(best.score, 3)}"
    sentence = f"Without adversarial losses, the control scored {scores}"
    if control.score > best.score:
        return f"{sentence}: at this length, the adversarial losses don't pay here."
    return f"{sentence}."


def chance_of(winner: Sequence[float], preset: Sequence[float]) -> float:
    """The p-value, 0..1, of the exact one-sided permutation test that the winner's mean is above the preset's."""
    scores, size = [*winner, *preset], len(winner)
    sums = [sum(chosen) for chosen in combinations(scores, size)]
    return sum(total >= sum(winner) - 1e-12 for total in sums) / len(sums)


def _scores(repeats: Sequence[Trial], kind: str, settings: dict[str, object]) -> list[float]:
    return [
        trial.score
        for trial in repeats
        if trial.kind == kind
        and trial.state == "complete"
        and trial.score is not None
        and settings.items() <= trial.settings.items()
    ]


def _range(scores: list[float]) -> str:
    return f"{signed(mean(scores), 3)} from {signed(min(scores), 3)} to {signed(max(scores), 3)}"
