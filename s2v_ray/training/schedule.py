"""How far to train, how far a training is, and when the discriminators are enabled on the way."""

import math
from dataclasses import dataclass

from s2v_ray.config import Config


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
    clips_per_second: float
    waiting_share: float  # of the time, for data, 0 to 1
    values: dict[str, float]


@dataclass(frozen=True)
class Schedule:
    """The discriminators are enabled from this step on, or after these seconds of training, whichever comes first.

    Fixed when a run is opened and kept in its checkpoints, so that neither a longer budget nor a part of one moves it.
    """

    discriminator_start_step: int
    discriminator_start_seconds: float | None  # None: the step alone decides

    def enables_discriminators(self, step: int, seconds: float) -> bool:
        """Whether D_I and D_V take part in the step that follows `step` steps and `seconds` of training."""
        start_seconds = self.discriminator_start_seconds
        return step >= self.discriminator_start_step or (start_seconds is not None and seconds >= start_seconds)


def config_budget(config: Config) -> Budget:
    """The budget that a configuration asks for."""
    training = config.training
    return Budget(training.steps, 60 * training.minutes or math.inf)


def config_schedule(config: Config) -> Schedule:
    """The schedule of a run that is opened with this configuration: its fractions of its budget, in absolute terms."""
    budget, start = config_budget(config), config.loss.discriminator_start
    seconds = None if math.isinf(budget.seconds) else start * budget.seconds
    return Schedule(math.ceil(start * budget.steps - 1e-9), seconds)
