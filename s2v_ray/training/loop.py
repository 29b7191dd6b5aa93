"""The training loop: from a batch to a step, and now and then a validation, a checkpoint and a line in the logs."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from s2v_ray.errors import UserError
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.storage.paths import Location
from s2v_ray.training.checkpoint import DamagedCheckpointError, checkpoints, last_checkpoint, load_state
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.health import Health, naming_memory_settings
from s2v_ray.training.logs import RunLogs
from s2v_ray.training.saving import CheckpointWriter
from s2v_ray.training.state import TrainingState
from s2v_ray.training.status import TrainingStatus
from s2v_ray.training.step import train_step
from s2v_ray.training.threads import at_most_threads
from s2v_ray.training.workers import ALONE, Workers

_LOG_EVERY_STEPS = 10


@dataclass(frozen=True)
class Validation:
    """How good a model is: `score` chooses the best checkpoint; and an example to look at and to listen to."""

    score: float
    metrics: dict[str, float]
    frames_THWC: np.ndarray  # uint8, the model's left of the real ones
    wave: np.ndarray  # int16 [S], the sound of both


Validate = Callable[[SoundToVideo], Validation]
Stop = Callable[[], bool]
Saved = Callable[[str, dict[str, float]], None]


def train(
    state: TrainingState,
    batches: Iterator[Batch],
    run: Location,
    *,
    validate: Validate | None = None,
    show: Callable[[TrainingStatus], None] = lambda status: None,
    stop: Stop = lambda: False,
    workers: Workers = ALONE,
    saved: Saved = lambda location, metrics: None,
) -> bool:
    """Train from where `state` is until its steps or minutes are over; returns False where `stop` ended it before.

    `batches` begin with the one of the next step. The run's first worker writes logs and checkpoints. `saved` is
    called on every worker, equally often, with a checkpoint that was written (on the first worker) or "".

    Raises UserError where a loss is not finite, a discriminator has collapsed, memory is out, or a checkpoint can't
    be written.
    """
    settings, clock = state.config.training, Clock(state)
    finished, state.adversarial = state.done == 1, state.adversarial_due
    leads = workers.rank == 0
    with (
        at_most_threads(settings.threads),
        RunLogs(run, state.config.clips, state.step) if leads else nullcontext() as logs,
        # Logs go first: a run that goes on from a checkpoint has them up to there.
        CheckpointWriter(run, settings.keep_checkpoints, first=logs.publish) if logs else nullcontext() as writer,
    ):
        health = Health(state, run, workers)
        while not finished:
            batch = clock.waiting_for(batches)
            with naming_memory_settings():
                health.add(train_step(state, batch), batch)
            state.epoch, state.seconds = batch.epoch, clock.seconds
            finished, stopped, adversarial = workers.any(state.done == 1, stop(), state.adversarial_due)
            ending = finished or stopped
            validating = validate is not None and (state.step % settings.validate_every_steps == 0 or finished)
            saving = validating or ending or state.step % settings.save_every_steps == 0
            if saving or state.step % _LOG_EVERY_STEPS == 0:
                values = health.check()
                if logs:
                    status = clock.status(values)
                    logs.scalars(state.step, {**values, **_gradients_and_rates(state), **status.speeds()})
                    show(status)
            if saving:
                best = _validated(state, validate, logs) if logs and validating and validate else False
                state.seconds = clock.seconds
                saved(writer.finish() if writer else "", state.metrics)
                if writer:
                    writer.save(state, best=best)
            state.adversarial = adversarial
            if ending:
                saved(writer.finish() if writer else "", state.metrics)
                return finished
    return True


def resume(state: TrainingState, run: Location, clips: str, *, skip_damaged: bool = False) -> bool:
    """Go on from the run's last checkpoint, of training on `clips`; returns whether there was one.

    Raises UserError for a damaged one (`skip_damaged` takes the latest one before it that is whole), and where the
    clips are not those of the run so far.
    """
    state.clips = clips
    last = last_checkpoint(run)
    if last is None:
        return False
    earlier = [location for location, whole in checkpoints(run).items() if whole and location < last]
    for location in [last, *reversed(earlier)]:
        try:
            load_state(state, location)
        except DamagedCheckpointError as error:
            if not skip_damaged:
                raise
            print(f"Skipped: {error}")
        else:
            return True
    raise UserError(f"'{run}' has no checkpoint that is whole; give another --out.")


class Clock:
    """What a training's time went into, since this start and in all."""

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
        """The next batch, the wait for it counted."""
        before = time.monotonic()
        batch = next(batches)
        self.waited += time.monotonic() - before
        return batch

    def status(self, values: dict[str, float]) -> TrainingStatus:
        """Where the training stands, with `values` to show."""
        state, settings = self.state, self.state.config.training
        shown = values | ({"validation/score": state.metrics["score"]} if "score" in state.metrics else {})
        return TrainingStatus(
            done=state.done,
            step=state.step,
            steps=settings.steps,
            seconds=self.seconds,
            minutes=settings.minutes,
            batch_size=settings.batch_size,
            fresh_steps=state.step - self.first_step,
            fresh_seconds=self.fresh_seconds,
            waited_seconds=self.waited,
            values=shown,
        )


def _validated(state: TrainingState, validate: Validate, logs: RunLogs) -> bool:
    """Validate, log, and say whether this is the best so far, of those that the discriminators took part in: the score
    is of motion, and knows nothing of what they bring.
    """
    model = state.eval_model.eval()
    with torch.no_grad():
        result = validate(model)
    model.train()
    state.metrics = {**result.metrics, "score": result.score}
    logs.scalars(state.step, {f"validation/{name}": value for name, value in state.metrics.items()})
    logs.sample(state.step, result.frames_THWC, result.wave)
    best = state.adversarial and (state.best_score is None or result.score > state.best_score)
    if best:
        state.best_score = result.score
    return best


def _gradients_and_rates(state: TrainingState) -> dict[str, float]:
    """The norm of each network's last gradient, and its learning rate."""
    values = {}
    for name, network in state.networks.items():
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        if gradients:
            norms = torch._foreach_norm(gradients)
            values[f"gradient_norm/{name}"] = float(torch.linalg.vector_norm(torch.stack(norms)))
            values[f"learning_rate/{name}"] = state.optimizers[name].param_groups[0]["lr"]
    return values
