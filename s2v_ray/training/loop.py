"""The training loop: from a batch to a step, with validations, checkpoints and log lines in between."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial

from s2v_ray.storage.paths import Location
from s2v_ray.tracking.tracker import Tracker
from s2v_ray.training.allocator import keeping_freed_memory
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.data.stream import common_position
from s2v_ray.training.health import Health, explaining_memory
from s2v_ray.training.logs import RunLogs
from s2v_ray.training.saving import CheckpointWriter
from s2v_ray.training.schedule import Budget, TrainingStatus
from s2v_ray.training.scoring import Scoring, Validate, ValidateBeside
from s2v_ray.training.state import TrainingState, set_learning_rates
from s2v_ray.training.step import train_step
from s2v_ray.training.threads import at_most_threads
from s2v_ray.training.workers import ALONE, Workers

_LOG_EVERY_STEPS = 10

Stop = Callable[[], bool]
Report = Callable[[str, dict[str, float]], None]


def train(
    state: TrainingState,
    batches: Iterator[Batch],
    run: Location,
    *,
    until: Budget,
    validate: Validate | None = None,
    validate_beside: ValidateBeside | None = None,
    show: Callable[[TrainingStatus], None] = lambda status: None,
    stop: Stop = lambda: False,
    workers: Workers = ALONE,
    report: Report = lambda location, metrics: None,
    trackers: Sequence[Tracker] = (),
    tensorboard: bool = True,
) -> bool:
    """Train from where `state` is until the budget is spent; returns False if `stop` ended it before.

    `batches` start with that of the next step. The first worker writes logs and checkpoints, and alone has `trackers`.
    `report` is called on every worker, equally often, with the checkpoint that was written (on the first worker) or "".
    With `validate_beside`, which does what `validate` does, scores arrive while the training continues; the last is
    waited for.

    Raises UserError if a loss is not finite, a discriminator has collapsed, memory is out, or a checkpoint can't be
    written.
    """
    settings, clock = state.config.training, Clock(state)
    logged = partial(RunLogs, run, state.config.clips, state.step, state.unscored, trackers, tensorboard=tensorboard)
    finished = until.done(state.step, state.seconds) == 1
    with (
        at_most_threads(settings.threads),
        keeping_freed_memory(),
        logged() if workers.rank == 0 else nullcontext() as logs,
        # Logs are published first: a run resumed from a checkpoint has them up to there.
        CheckpointWriter(run, settings.keep_checkpoints, logs.publish) if logs else nullcontext() as writer,
    ):
        health = Health(state, run, workers)
        scoring = Scoring(state, run, validate, validate_beside, workers, logs) if validate else None
        if scoring:
            scoring.resume()
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
            validating = scoring is not None and (state.step % settings.validate_every_steps == 0 or finished)
            saving = validating or ending or state.step % settings.save_every_steps == 0
            if saving or state.step % _LOG_EVERY_STEPS == 0:
                means = health.check()
                if state.position:
                    state.position = common_position(workers.gather([state.position]))
                if scoring:
                    scoring.collect()
                status = clock.status(until, means)
                workers.watch(status)
                if logs:
                    speeds = {f"speed/{name}": getattr(status, name) for name in ("clips_per_second", "waiting_share")}
                    logs.scalars(state.step, {**means, **_rates(state, means), **speeds})
                    show(status)
            if saving:
                written = writer.finish() if writer else ""
                best = scoring.score(last=finished) if scoring and validating else False
                state.seconds = clock.seconds
                report(written, state.metrics)
                if writer:
                    # Of a stopped training, it is scored when the run is resumed.
                    deferred = not ending and state.unscored and state.unscored.step == state.step
                    writer.save(state, best=best, then=scoring.start if scoring and deferred else None)
            state.progress = progress
            if ending:
                workers.watch(clock.status(until, means))  # with the last score
                report(writer.finish() if writer else "", state.metrics)
                return finished
        if scoring:
            scoring.settle()
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
        clips = fresh_steps * state.config.training.batch_size
        seconds_left = (budget.steps - state.step) * fresh_seconds / max(1, fresh_steps)
        return TrainingStatus(
            step=state.step,
            done=budget.done(state.step, self.seconds),
            seconds_left=max(0.0, min(seconds_left, budget.seconds - self.seconds)),
            clips=clips,
            clips_per_second=clips / fresh_seconds,
            waited_seconds=self.waited,
            waiting_share=self.waited / fresh_seconds,
            values=values | ({"validation/score": state.metrics["score"]} if "score" in state.metrics else {}),
        )


def _rates(state: TrainingState, means: Mapping[str, float]) -> dict[str, float]:
    """The learning rate of each network that was trained, by the metrics of its steps."""
    return {
        f"learning_rate/{name}": optimizer.param_groups[0]["lr"]
        for name, optimizer in state.optimizers.items()
        if f"gradient_norm/{name}" in means
    }
