"""How far a training is, as numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingStatus:
    """How far a training is.

    `minutes` is 0 where only `steps` limit it; `fresh_*` and `waited_seconds` count since this start.
    """

    done: float  # 0 to 1
    step: int
    steps: int
    seconds: float
    minutes: float
    batch_size: int
    fresh_steps: int
    fresh_seconds: float
    waited_seconds: float
    values: dict[str, float]

    @property
    def seconds_left(self) -> float:
        """An estimate from the speed since this start."""
        by_steps = (self.steps - self.step) * self.fresh_seconds / max(1, self.fresh_steps)
        return max(0.0, min(by_steps, 60 * self.minutes - self.seconds) if self.minutes else by_steps)

    def speeds(self) -> dict[str, float]:
        """Clips a second since this start, and the share of the time spent waiting for data."""
        return {
            "speed/clips_per_second": self.fresh_steps * self.batch_size / self.fresh_seconds,
            "speed/waiting_share": self.waited_seconds / self.fresh_seconds,
        }
