"""How many trials, and how long ones, a time budget allows."""

import math
from dataclasses import dataclass

from s2v_ray.errors import UserError
from s2v_ray.tuning.plan import LEAST_TRIALS

DEFAULT_TRIALS = 20
_GIVEN = 2  # preset and control, which the search doesn't choose
_LEAST_STEPS = 300  # of a trial; the discriminators act in half of them, and fewer tell settings apart by chance only
_LONGEST_SECONDS = 1800.0  # more settings then teach more than longer trials
_FEW_SEARCHED = 4  # rather than fewer, none is repeated; and to repeat less often than asked for would show nothing
_START_SECONDS, _REPORT_SECONDS = 15.0, 15.0  # of processes; of a domain's figures
_BETWEEN_SECONDS = 1.0  # a trial's end and the next one's first step


@dataclass(frozen=True)
class TrialCost:
    """Seconds of a step, the discriminators' part in it averaged over a trial, and of a validation."""

    step_seconds: float
    validation_seconds: float


@dataclass(frozen=True)
class Choice:
    """What was chosen for a sweep, and why, in a sentence. `seconds` of training a trial; None: by given steps.

    `trial_seconds` are those with its validations.
    """

    trials: int
    repeats: int
    seconds: float | None
    trial_seconds: float
    why: str


def report_seconds(domains: int) -> float:
    """What is kept of a budget for the report."""
    return _REPORT_SECONDS * domains


def choose_trials(
    budget_seconds: float,
    cost: TrialCost,
    *,
    at_once: int,
    domains: int,
    repeats: int,
    spent_seconds: float = 0.0,
    seconds: float | None = None,
    steps: int | None = None,
) -> Choice:
    """The sweep that fits what is left of a budget, if `at_once` trials run at once, over all domains.

    A trial's length, unless it is given by `seconds` or `steps`, is such that as many trials fit as a sweep has by
    default, but not below 300 steps nor above half an hour; then as many as fit. If these are few, nothing is
    repeated. What stopping poor trials early saves is not counted on: it is the margin.

    Raises UserError if not even three trials fit.
    """
    reserved = spent_seconds + _START_SECONDS + report_seconds(domains)
    usable = (budget_seconds - reserved) * min(1.0, at_once / domains)
    each = max(1, at_once // domains)  # trials of a domain at a time
    overhead = 2 * cost.validation_seconds + _BETWEEN_SECONDS
    given = seconds if steps is None else steps * cost.step_seconds
    least = given or _LEAST_STEPS * cost.step_seconds

    def rounds(trials: int, repeated: int) -> int:
        searched = math.ceil((trials - _GIVEN) / each)
        return math.ceil(_GIVEN / each) + searched + math.ceil(2 * repeated / each)

    aimed = usable / rounds(DEFAULT_TRIALS, repeats) - overhead
    length = given or min(max(aimed, least), _LONGEST_SECONDS)
    fitting = int(usable / (length + overhead) + 1e-6)  # rounds
    repeated = repeats if fitting >= rounds(_GIVEN + _FEW_SEARCHED, repeats) else 0
    trials = _GIVEN + each * (fitting - rounds(_GIVEN, repeated))
    if trials < LEAST_TRIALS:
        needed = rounds(LEAST_TRIALS, 0) * (length + overhead) / min(1.0, at_once / domains)
        needed = math.ceil((needed + reserved) / 60)
        raise UserError(
            "too_little_time",
            f"--time-budget is {budget_seconds / 60:g} minutes, but {LEAST_TRIALS} trials for each of {domains} "
            f"domains take {needed} here ({length / cost.step_seconds:.0f} steps of {cost.step_seconds:.2g} s each, "
            f"{at_once} trials at once); give more, or fewer --steps.",
        )
    if given:
        reason = "their length is the one given, and as many as fit"
    elif length == least:
        reason = f"{_LEAST_STEPS} steps are the fewest that tell settings apart"
    elif length == _LONGEST_SECONDS:
        reason = "beyond half an hour each, more trials teach more than longer ones"
    else:
        reason = f"as long as they can be for {DEFAULT_TRIALS} to fit"
    repeating = f"then preset and winner with {repeated} fresh seeds each"
    if repeated < repeats:
        repeating = "no time is left for repeats, so a gain may be the luck of a seed"
    why = (
        f"In {budget_seconds / 60:g} minutes: {trials} trials for each domain, {at_once} at once, of "
        f"{length / 60:.1f} minutes or about {length / cost.step_seconds:.0f} steps, each {cost.step_seconds:.2g} s "
        f"here: {reason}; {repeating}."
    )
    return Choice(trials, repeated, None if steps is not None else length, length + overhead, why)
