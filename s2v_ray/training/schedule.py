"""How far to train, how far a training is, and what changes on the way."""

import math
from dataclasses import dataclass

from s2v_ray.config import Config

_LAST_FACTOR = 0.05  # of the learning rates, at the end of a decay
_ROUNDING = 1e-9  # 3 of 8 steps are 0.375 of them


@dataclass(frozen=True)
class Budget:
    """How far to train in all, over resumes: the first limit to be reached ends the training."""

    steps: int
    seconds: float = math.inf

    def done(self, step: int, seconds: float) -> float:
        """The part that is done, 0 to 1, by whichever limit is nearer."""
        return min(1.0, max(step / self.steps, seconds / self.seconds))

    def part(self, share: float) -> "Budget":
        """This share of the budget, at least a step."""
        return Budget(max(1, round(share * self.steps)), share * self.seconds)


@dataclass(frozen=True)
class TrainingStatus:
    """How far a training is. The speed, and what is estimated from it, are those since this start."""

    step: int
    done: float  # the part of the budget that is spent, 0 to 1
    seconds_left: float
    clips: int  # that all workers trained on, since this start
    clips_per_second: float
    waited_seconds: float  # for data, since this start
    waiting_share: float  # of the time, 0 to 1
    values: dict[str, float]


@dataclass(frozen=True)
class Schedule:
    """The budget that a run was opened with. What changes on the way, changes at fractions of it.

    It is kept in the run's checkpoints, so that neither a longer budget nor a part of one moves these changes.
    """

    steps: int
    seconds: float | None  # None: the steps alone decide

    def progress(self, step: int, seconds: float) -> float:
        """The fraction, 0 to 1, after `step` steps and `seconds` of training, by whichever limit is nearer."""
        return Budget(self.steps, self.seconds or math.inf).done(step, seconds)


def reached(progress: float, fraction: float) -> bool:
    """Whether a training is at `fraction` of its schedule, or past it."""
    return progress >= fraction - _ROUNDING


def learning_rate_factor(progress: float, decay_start: float) -> float:
    """1 up to `decay_start`, from where it falls linearly, to 0.05 at the end of the schedule."""
    if decay_start >= 1:
        return 1.0
    return 1 - (1 - _LAST_FACTOR) * max(0.0, progress - decay_start) / (1 - decay_start)


def config_budget(config: Config) -> Budget:
    """The budget that a configuration asks for."""
    training = config.training
    return Budget(training.steps, 60 * training.minutes or math.inf)


def config_schedule(config: Config) -> Schedule:
    """The schedule of a run that is opened with this configuration."""
    budget = config_budget(config)
    return Schedule(budget.steps, None if math.isinf(budget.seconds) else budget.seconds)
