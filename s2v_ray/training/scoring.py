"""The scores of a run's models, and which of its checkpoints is the best."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import torch

from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.storage.paths import Location
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import checkpoint_at, point_to_best
from s2v_ray.training.logs import RunLogs
from s2v_ray.training.state import TrainingState, Unscored
from s2v_ray.training.workers import Workers

_SCORE_TOLERANCE = 0.01  # less is chance, on the few clips of a validation


@dataclass(frozen=True)
class Validation:
    """How good a model is, and an example to look at and to listen to.

    `score` chooses the best checkpoint, the latest of those that are as good; of too few clips it says little, and the
    latest checkpoint of all is taken.
    """

    score: float
    metrics: dict[str, float]
    frames_THWC: np.ndarray  # uint8, the model's left of the real ones
    wave: np.ndarray  # int16 [S], the sound of both
    decides: bool = True  # whether there are enough clips


Validate = Callable[[SoundToVideo], Validation]
# Starts the same, somewhere else, of the model of a checkpoint.
ValidateBeside = Callable[[str], "Future[Validation]"]


class Scoring:
    """Scores models while all workers wait or, with `beside`, checkpoints while they train on.

    One checkpoint at a time is scored beside the training: the next one waits for its score, so that scores arrive,
    and choose the best, in the order of their steps. All workers have one; only the first has `logs`, and scores.
    """

    def __init__(
        self,
        state: TrainingState,
        run: Location,
        validate: Validate,
        beside: ValidateBeside | None,
        workers: Workers,
        logs: RunLogs | None,
    ) -> None:
        self.state, self.run, self.validate, self.beside = state, run, validate, beside
        self.workers, self.logs = workers, logs
        self.arriving: Future[Validation] | None = None

    def resume(self) -> None:
        """Score the checkpoint that had no score yet when the run was stopped. Call it on all workers."""
        if self.state.unscored is None:
            return
        checkpoint = checkpoint_at(self.run, self.state.unscored.step)
        if self.beside:
            self.start(checkpoint)
            return
        result = self.workers.on_first(lambda: self.validate(load_model(checkpoint)[0].to(self.workers.device)))
        if result:
            self._arrived(result)

    def score(self, *, last: bool) -> bool:
        """Score the model as it is, or leave it `unscored` until `start`. Call it on all workers.

        Returns whether it is the best so far, on the first worker. The `last` one has no training to be scored beside.
        """
        self.settle()
        state = self.state
        if self.beside and not last:
            state.unscored = Unscored(state.step, state.discriminators_enabled)
            return False
        result = self.workers.on_first(self._validated)
        return result is not None and self._is_best(result, state.step, eligible=state.discriminators_enabled)

    def start(self, checkpoint: str) -> None:
        """Start to score the unscored checkpoint, which is written now."""
        if self.logs and self.beside:
            self.arriving = self.beside(checkpoint)

    def collect(self) -> None:
        """Take note of the score of the unscored checkpoint if it is known. Raises what its validation raised."""
        if self.arriving is not None and self.arriving.done():
            result, self.arriving = self.arriving.result(), None
            self._arrived(result)

    def settle(self) -> None:
        """Wait for the score of the unscored checkpoint, if there is one. Call it on all workers."""
        self.workers.wait_for(self.arriving)
        self.collect()

    def _validated(self) -> Validation:
        model = (self.state.ema or self.state.networks.generator).eval()
        with torch.no_grad():
            result = self.validate(model)
        model.train()
        return result

    def _arrived(self, result: Validation) -> None:
        unscored, self.state.unscored = self.state.unscored, None
        if unscored and self._is_best(result, unscored.step, eligible=unscored.eligible):
            point_to_best(self.run, unscored.step)

    def _is_best(self, result: Validation, step: int, *, eligible: bool) -> bool:
        """Log a score; returns whether no model so far, of those trained with D, is clearly better."""
        state = self.state
        state.metrics = {**result.metrics, "score": result.score}
        if self.logs:
            self.logs.scalars(step, {f"validation/{name}": value for name, value in state.metrics.items()})
            self.logs.sample(step, result.frames_THWC, result.wave)
        # The score is of motion alone, and blind to what the discriminators improve: of equally good ones, the latest.
        highest = result.score if state.best_score is None else max(result.score, state.best_score)
        best = eligible and (result.score > highest - _SCORE_TOLERANCE or not result.decides)
        if best:
            state.best_score = highest
        return best
