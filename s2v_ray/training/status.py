"""How far a training is, as numbers."""

from dataclasses import dataclass

from s2v_ray.training.schedule import Budget


@dataclass(frozen=True)
class TrainingStatus:
    """How far a training is; `fresh_*` and `waited_seconds` count since this start."""

    budget: Budget
    step: int
    seconds: float
    batch_size: int
    fresh_steps: int
    fresh_seconds: float
    waited_seconds: float
    values: dict[str, float]

    @property
    def done(self) -> float:
        """The part of the budget that is spent, 0 to 1."""
        return self.budget.done(self.step, self.seconds)

    @property
    def seconds_left(self) -> float:
        """An estimate from the speed since this start."""
        by_steps = (self.budget.steps - self.step) * self.fresh_seconds / max(1, self.fresh_steps)
        return max(0.0, min(by_steps, self.budget.seconds - self.seconds))

    def speeds(self) -> dict[str, float]:
        """Clips a second since this start, and the share of the time spent waiting for data."""
        return {
            "speed/clips_per_second": self.fresh_steps * self.batch_size / self.fresh_seconds,
            "speed/waiting_share": self.waited_seconds / self.fresh_seconds,
        }
