"""How far a training is, as numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingStatus:
    """How far a training is. The speed, and what is estimated from it, are those since this start."""

    step: int
    done: float  # the part of the budget that is spent, 0 to 1
    seconds_left: float
    clips_per_second: float
    waiting_share: float  # of the time, for data, 0 to 1
    values: dict[str, float]
