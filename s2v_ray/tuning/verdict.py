"""Is a winner's gain more than the luck of a seed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean

from s2v_ray.evaluation.report.table import signed
from s2v_ray.tuning.trials import CONTROL, PRESET, WINNER, Trial, best_trial

# Three seeds a side that don't overlap, of which there is one among the twenty ways to divide six.
_LEVEL = 0.05


@dataclass(frozen=True)
class Verdict:
    """The best trial, the scores of winner and preset over fresh seeds, and what follows, in a sentence."""

    best: Trial | None
    preset_scores: list[float]
    winner_scores: list[float]
    is_gain: bool
    told: str


def verdict_of(trials: Sequence[Trial], repeats: Sequence[Trial]) -> Verdict:
    """Judge a domain's search by the repeats of its best trial. The search's own scores are the best of many, so only
    the repeats' count.
    """
    best = best_trial(trials)
    if best is None:
        failed = sum(trial.state == "failed" for trial in trials)
        return Verdict(None, [], [], False, f"No trial was trained to its end; {failed} of {len(trials)} failed.")
    if best.kind == PRESET:
        return Verdict(best, [], [], False, "The sweep found nothing better than the preset; keep it.")
    preset = _scores(repeats, PRESET, {})
    winner = _scores(repeats, WINNER, best.settings)
    if not preset or not winner:
        told = f"Trial {best.number} scored best, but was not repeated: its gain may be the luck of a seed."
        return Verdict(best, preset, winner, False, told)
    gain, chance = mean(winner) - mean(preset), chance_of(winner, preset)
    compared = (
        f"trial {best.number} over the preset: {signed(gain, 3)} ({_told(winner)} against {_told(preset)}, "
        f"{len(winner)} and {len(preset)} fresh seeds; by chance in {100 * chance:.0f} % of cases)"
    )
    if chance <= _LEVEL:
        return Verdict(best, preset, winner, True, f"A gain outside the noise, of {compared}.")
    return Verdict(
        best, preset, winner, False, f"The sweep found nothing outside the noise; {compared}; keep the preset."
    )


def control_sentence(trials: Sequence[Trial]) -> str:
    """What the adversarial losses are good for, by the one run without them."""
    control = next((trial for trial in trials if trial.kind == CONTROL and trial.state == "complete"), None)
    best = best_trial(trials)
    if control is None or best is None or control.score is None or best.score is None:
        return ""
    scores = f"{signed(control.score, 3)}, the best trial {signed(best.score, 3)}"
    told = f"Without adversarial losses, the control scored {scores}"
    if control.score > best.score:
        return f"{told}: at this length, the adversarial losses don't pay here."
    return f"{told}."


def chance_of(winner: Sequence[float], preset: Sequence[float]) -> float:
    """In which part of all ways to divide the scores in two, the first part is ahead by at least as much: 0..1.

    The exact one-sided permutation test of a difference of means.
    """
    scores, size = [*winner, *preset], len(winner)
    sums = [sum(scores[place] for place in places) for places in combinations(range(len(scores)), size)]
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


def _told(scores: list[float]) -> str:
    return f"{signed(mean(scores), 3)} from {signed(min(scores), 3)} to {signed(max(scores), 3)}"
