"""The training loop: from a batch to a step, and now and then a validation, a checkpoint and a line in the logs."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed
from torch import Tensor

from s2v_ray.clips.batch import Batch, training_batches
from s2v_ray.clips.reader import ClipReader
from s2v_ray.config import UserError
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.checkpoint import last_checkpoint, load_state, remove_old_checkpoints, save_checkpoint
from s2v_ray.training.logs import RunLogs
from s2v_ray.training.progress import Standing
from s2v_ray.training.state import TrainingState
from s2v_ray.training.step import train_step

_LOG_EVERY_STEPS = 10


@dataclass(frozen=True)
class Validation:
    """How good a model is: `score` chooses the best checkpoint, `sample` is a picture, uint8 [H, W, 3]."""

    score: float
    metrics: dict[str, float]
    sample: np.ndarray


Validate = Callable[[SoundToVideo], Validation]


@dataclass(frozen=True)
class Workers:
    """This process among those that train together."""

    rank: int = 0
    world_size: int = 1


def train(
    state: TrainingState,
    reader: ClipReader,
    run: Path,
    device: torch.device,
    *,
    validate: Validate | None,
    show: Callable[[Standing], None],
    stop: Callable[[], bool],
    workers: Workers = Workers(),
    saved: Callable[[str, dict[str, float]], None] = lambda location, metrics: None,
) -> bool:
    """Train from where `state` is until its steps or minutes are over; returns False where `stop` ended it before.

    The run's first worker writes logs and checkpoints. `saved` is called on every worker after each checkpoint.
    """
    settings = state.config.training
    place = {"rank": workers.rank, "world_size": workers.world_size}
    batches = training_batches(reader, state.config, device, first_step=state.step, **place)
    share = _share(settings.batch_size, workers)
    first_step, seconds_before, started = state.step, state.seconds, time.monotonic()
    finished = _finished(state)

    def clock() -> float:
        return seconds_before + time.monotonic() - started

    with _logs(run, state.step, workers) as logs:
        while not finished:
            losses = train_step(state, batch := next(batches), share=share)
            state.seconds = clock()
            finished, stopped = _agree(workers, device, _finished(state), stop())
            ending = finished or stopped
            validating = validate is not None and (state.step % settings.validate_every_steps == 0 or finished)
            saving = validating or ending or state.step % settings.save_every_steps == 0
            if saving or state.step % _LOG_EVERY_STEPS == 0:
                values = _to_numbers(losses, state, batch, run)
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


def resume(state: TrainingState, run: Path) -> bool:
    """Go on from the run's last checkpoint; returns whether there was one."""
    checkpoint = last_checkpoint(run)
    if checkpoint is None:
        return False
    load_state(state, checkpoint)
    return True


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


def _share(batch_size: int, workers: Workers) -> float:
    """This worker's clips over the mean number of clips a worker: slices may differ by one."""
    rank, count = workers.rank, workers.world_size
    return (batch_size * (rank + 1) // count - batch_size * rank // count) * count / batch_size


def _agree(workers: Workers, device: torch.device, *flags: bool) -> tuple[bool, ...]:
    """What any of the workers says: all of them leave the loop at the same step."""
    if workers.world_size == 1:
        return flags
    said = torch.tensor(flags, dtype=torch.int32, device=device)
    torch.distributed.all_reduce(said, op=torch.distributed.ReduceOp.MAX)
    return tuple(bool(flag) for flag in said.tolist())


def _to_numbers(losses: dict[str, Tensor], state: TrainingState, batch: Batch, run: Path) -> dict[str, float]:
    values = {f"loss/{name}": float(value) for name, value in losses.items()}
    broken = [name for name, value in values.items() if not np.isfinite(value)]
    if broken:
        raise UserError(
            f"{', '.join(broken)} is not finite at step {state.step} (clips {', '.join(batch.clip_ids)}); "
            f"the last good checkpoint is {last_checkpoint(run) or 'none'}; try lower learning rates."
        )
    return values


def _standing(state: TrainingState, first_step: int, fresh_seconds: float, values: dict[str, float]) -> Standing:
    settings = state.config.training
    shown = dict(values)
    if "score" in state.metrics:
        shown["validation/score"] = state.metrics["score"]
    fresh_steps = state.step - first_step
    return Standing(state.step, settings.steps, state.seconds, settings.minutes, fresh_steps, fresh_seconds, shown)


def _logs(run: Path, step: int, workers: Workers) -> AbstractContextManager[RunLogs | None]:
    return RunLogs(run, step) if workers.rank == 0 else nullcontext(None)
