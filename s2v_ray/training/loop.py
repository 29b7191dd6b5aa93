"""The training loop: from a batch to a step, and now and then a validation, a checkpoint and a line in the logs."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from s2v_ray.clips.batch import Batch, training_batches
from s2v_ray.clips.reader import ClipReader
from s2v_ray.config import UserError
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.checkpoint import last_checkpoint, load_state, remove_old_checkpoints, save_checkpoint
from s2v_ray.training.logs import RunLogs
from s2v_ray.training.progress import Standing
from s2v_ray.training.state import TrainingState
from s2v_ray.training.step import train_step
from s2v_ray.training.workers import ALONE, Workers

_LOG_EVERY_STEPS = 10


@dataclass(frozen=True)
class Validation:
    """How good a model is: `score` chooses the best checkpoint, `sample` is a picture, uint8 [H, W, 3]."""

    score: float
    metrics: dict[str, float]
    sample: np.ndarray


Validate = Callable[[SoundToVideo], Validation]


Stop = Callable[[], bool]
Saved = Callable[[str, dict[str, float]], None]


def train(
    state: TrainingState,
    reader: ClipReader,
    run: Path,
    *,
    validate: Validate | None = None,
    show: Callable[[Standing], None] = lambda standing: None,
    stop: Stop = lambda: False,
    workers: Workers = ALONE,
    saved: Saved = lambda location, metrics: None,
) -> bool:
    """Train from where `state` is until its steps or minutes are over; returns False where `stop` ended it before.

    The run's first worker writes logs and checkpoints. `saved` is called on every worker after each checkpoint.
    """
    settings = state.config.training
    place = {"first_step": state.step, "rank": workers.rank, "world_size": workers.world_size}
    batches = training_batches(reader, state.config, workers.device, **place)
    share = workers.share(settings.batch_size)
    first_step, seconds_before, started = state.step, state.seconds, time.monotonic()
    finished = _finished(state)

    def clock() -> float:
        return seconds_before + time.monotonic() - started

    with _logs(run, state.step, workers) as logs:
        while not finished:
            losses = train_step(state, batch := next(batches), share=share)
            state.seconds = clock()
            finished, stopped = workers.any(_finished(state), stop())
            ending = finished or stopped
            validating = validate is not None and (state.step % settings.validate_every_steps == 0 or finished)
            saving = validating or ending or state.step % settings.save_every_steps == 0
            if saving or state.step % _LOG_EVERY_STEPS == 0:
                values = workers.mean({f"loss/{name}": float(value) for name, value in losses.items()}, share)
                check_finite(values, state, batch, run)
                if logs:
                    logs.scalars(state.step, values)
                    show(_standing(state, first_step, clock() - seconds_before, values))
            if saving:
                best = _validated(state, validate, logs) if logs and validating and validate else False
                state.seconds = clock()
                location = ""
                if workers.rank == 0:
                    location = save_checkpoint(str(run), state, best=best)
                    remove_old_checkpoints(str(run), settings.keep_checkpoints)
                saved(location, state.metrics)
            if stopped and not finished:
                return False
    return True


def resume(state: TrainingState, run: Path, reader: ClipReader) -> bool:
    """Go on from the run's last checkpoint; returns whether there was one.

    Raises UserError for a damaged one, and where the clips are not those of the run so far.
    """
    state.clips = reader.fingerprint
    checkpoint = last_checkpoint(run)
    if checkpoint is None:
        return False
    load_state(state, checkpoint)
    return True


def check_finite(values: dict[str, float], state: TrainingState, batch: Batch, run: Path) -> None:
    """Raises UserError where a loss, or a weight after the update, is not finite."""
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    broken += [name for name, network in state.networks.items() if not all_finite(network)]
    if broken:
        raise UserError(
            f"{', '.join(broken)} is not finite at step {state.step} (clips {', '.join(batch.clip_ids)}); the last "
            f"good checkpoint is {last_checkpoint(run) or 'none'}; train with lower learning rates into another "
            "--out, from that checkpoint by --init-from."
        )


def all_finite(network: nn.Module) -> bool:
    """Whether all weights are numbers."""
    return all(bool(parameter.isfinite().all()) for parameter in network.parameters())


def _validated(state: TrainingState, validate: Validate, logs: RunLogs) -> bool:
    """Validate, log, and say whether this is the best so far."""
    model = state.for_use.eval()
    with torch.no_grad():
        result = validate(model)
    model.train()
    state.metrics = {**result.metrics, "score": result.score}
    logs.scalars(state.step, {f"validation/{name}": value for name, value in state.metrics.items()})
    logs.sample(state.step, result.sample)
    best = state.best_score is None or result.score > state.best_score
    if best:
        state.best_score = result.score
    return best


def _finished(state: TrainingState) -> bool:
    settings = state.config.training
    return state.step >= settings.steps or bool(settings.minutes and state.seconds >= 60 * settings.minutes)


def _standing(state: TrainingState, first_step: int, fresh_seconds: float, values: dict[str, float]) -> Standing:
    settings = state.config.training
    shown = dict(values)
    if "score" in state.metrics:
        shown["validation/score"] = state.metrics["score"]
    fresh_steps = state.step - first_step
    return Standing(state.step, settings.steps, state.seconds, settings.minutes, fresh_steps, fresh_seconds, shown)


def _logs(run: Path, step: int, workers: Workers) -> AbstractContextManager[RunLogs | None]:
    return RunLogs(run, step) if workers.rank == 0 else nullcontext(None)
