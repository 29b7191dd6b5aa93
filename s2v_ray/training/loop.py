"""The training loop: from a batch to a step, with validations, checkpoints and log lines in between."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.storage.paths import Location
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.health import Health, explaining_memory
from s2v_ray.training.logs import RunLogs
from s2v_ray.training.saving import CheckpointWriter
from s2v_ray.training.schedule import Budget, TrainingStatus
from s2v_ray.training.state import TrainingState, set_learning_rates
from s2v_ray.training.step import train_step
from s2v_ray.training.threads import at_most_threads
from s2v_ray.training.workers import ALONE, Workers

_LOG_EVERY_STEPS = 10
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
Stop = Callable[[], bool]
Report = Callable[[str, dict[str, float]], None]


def train(
    state: TrainingState,
    batches: Iterator[Batch],
    run: Location,
    *,
    until: Budget,
    validate: Validate | None = None,
    show: Callable[[TrainingStatus], None] = lambda status: None,
    stop: Stop = lambda: False,
    workers: Workers = ALONE,
    report: Report = lambda location, metrics: None,
) -> bool:
    """Train from where `state` is until the budget is spent; returns False if `stop` ended it before.

    `batches` start with that of the next step. The first worker writes logs and checkpoints. `report` is called on
    every worker, equally often, with the checkpoint that was written (on the first worker) or "".

    Raises UserError if a loss is not finite, a discriminator has collapsed, memory is out, or a checkpoint can't be
    written.
    """
    settings, clock = state.config.training, Clock(state)
    finished = until.done(state.step, state.seconds) == 1
    with (
        at_most_threads(settings.threads),
        RunLogs(run, state.config.clips, state.step) if workers.rank == 0 else nullcontext() as logs,
        # Logs are published first: a run resumed from a checkpoint has them up to there.
        CheckpointWriter(run, settings.keep_checkpoints, logs.publish) if logs else nullcontext() as writer,
    ):
        health = Health(state, run, workers)
        (state.progress,) = workers.max(state.schedule.progress(state.step, state.seconds))
        while not finished:
            set_learning_rates(state)
            batch = clock.waiting_for(batches)
            with explaining_memory():
                health.add(train_step(state, batch), batch)
            state.epoch, state.seconds = batch.epoch, clock.seconds
            spent = until.done(state.step, state.seconds) == 1
            progress, *flags = workers.max(state.schedule.progress(state.step, state.seconds), spent, stop())
            finished, stopped = map(bool, flags)
            ending = finished or stopped
            validating = validate is not None and (state.step % settings.validate_every_steps == 0 or finished)
            saving = validating or ending or state.step % settings.save_every_steps == 0
            if saving or state.step % _LOG_EVERY_STEPS == 0:
                means = health.check()
                if logs:
                    status = clock.status(until, means)
                    speeds = {f"speed/{name}": getattr(status, name) for name in ("clips_per_second", "waiting_share")}
                    logs.scalars(state.step, {**means, **_gradients_and_rates(state), **speeds})
                    show(status)
            if saving:
                best = _validated(state, validate, logs) if logs and validating and validate else False
                state.seconds = clock.seconds
                report(writer.finish() if writer else "", state.metrics)
                if writer:
                    writer.save(state, best=best)
            state.progress = progress
            if ending:
                report(writer.finish() if writer else "", state.metrics)
                return finished
    return True


class Clock:
    """Where a training's time went, since this start and in all."""

    def __init__(self, state: TrainingState) -> None:
        self.state, self.first_step = state, state.step
        self.seconds_before, self.started, self.waited = state.seconds, time.monotonic(), 0.0

    @property
    def fresh_seconds(self) -> float:
        """Since this start."""
        return time.monotonic() - self.started

    @property
    def seconds(self) -> float:
        """Over all starts."""
        return self.seconds_before + self.fresh_seconds

    def waiting_for(self, batches: Iterator[Batch]) -> Batch:
        """The next batch; the time it takes counts as waiting."""
        before = time.monotonic()
        batch = next(batches)
        self.waited += time.monotonic() - before
        return batch

    def status(self, budget: Budget, values: dict[str, float]) -> TrainingStatus:
        """How far the training is, with `values` to show."""
        state, fresh_seconds, fresh_steps = self.state, self.fresh_seconds, self.state.step - self.first_step
        seconds_left = (budget.steps - state.step) * fresh_seconds / max(1, fresh_steps)
        return TrainingStatus(
            step=state.step,
            done=budget.done(state.step, self.seconds),
            seconds_left=max(0.0, min(seconds_left, budget.seconds - self.seconds)),
            clips_per_second=fresh_steps * state.config.training.batch_size / fresh_seconds,
            waiting_share=self.waited / fresh_seconds,
            values=values | ({"validation/score": state.metrics["score"]} if "score" in state.metrics else {}),
        )


def _validated(state: TrainingState, validate: Validate, logs: RunLogs) -> bool:
    """Validate and log; returns whether no model so far, of those trained with D, is clearly better."""
    model = (state.ema or state.networks.generator).eval()
    with torch.no_grad():
        result = validate(model)
    model.train()
    state.metrics = {**result.metrics, "score": result.score}
    logs.scalars(state.step, {f"validation/{name}": value for name, value in state.metrics.items()})
    logs.sample(state.step, result.frames_THWC, result.wave)
    # The score is of motion alone, and blind to what the discriminators improve: of equally good ones, the latest.
    highest = result.score if state.best_score is None else max(result.score, state.best_score)
    best = state.discriminators_enabled and (result.score > highest - _SCORE_TOLERANCE or not result.decides)
    if best:
        state.best_score = highest
    return best


def _gradients_and_rates(state: TrainingState) -> dict[str, float]:
    """The norm of each network's last gradient, and its learning rate."""
    values = {}
    for name, network in state.networks.items():
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        if gradients:
            values[f"gradient_norm/{name}"] = float(nn.utils.get_total_norm(gradients))
            values[f"learning_rate/{name}"] = state.optimizers[name].param_groups[0]["lr"]
    return values
