"""What each process of a sweep's trial does: the same training, which reports at the rungs of its clock."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from s2v_ray.config import Config

if TYPE_CHECKING:
    from s2v_ray.cluster.training import WorkerLoop
    from s2v_ray.training.loop import Saved, Stop
    from s2v_ray.training.state import TrainingState
    from s2v_ray.training.workers import Workers
    from s2v_ray.tuning.objective import Floors


def trial_loop(clips: str, config: Config, run: str, rungs: tuple[float, ...], floors: Floors | None) -> WorkerLoop:
    """The loop of one trial on prepared clips."""
    return partial(_train_to_rungs, clips, config, run, rungs, floors)


def _train_to_rungs(
    clips: str,
    config: Config,
    run: str,
    rungs: tuple[float, ...],
    floors: Floors | None,
    workers: Workers,
    saved: Saved,
    stop: Stop,
) -> None:
    """Train to each part of the budget in turn, validate there, and report; goes on from the last checkpoint."""
    from s2v_ray.recipes.train_worker import clip_feed
    from s2v_ray.training.loop import resume, train
    from s2v_ray.training.state import new_state

    feed = clip_feed(clips, config, workers)
    state = new_state(config, workers.device, distributed=workers.world_size > 1)
    resume(state, run, feed.fingerprint, skip_damaged=True)
    workers.check_same_step(state.step)
    batches = feed.batches(state)
    for rung in rungs:
        state.config = _up_to(config, rung)
        if train(state, batches, run, validate=feed.validate, stop=stop, workers=workers):
            if config.training.minutes:
                # Validating is no training: a trial that is looked at earlier would have less of it.
                state.seconds = min(state.seconds, 60 * state.config.training.minutes)
                workers.check_same_step(state.step)  # all wait for the first, which validates
            saved("", _report(state, rung, floors) if workers.rank == 0 else {})


def _up_to(config: Config, part: float) -> Config:
    """The configuration with a part of its budget."""
    training = config.training
    steps = max(1, round(part * training.steps))
    return replace(config, training=replace(training, steps=steps, minutes=part * training.minutes))


def _report(state: TrainingState, rung: float, floors: Floors | None) -> dict[str, float]:
    from s2v_ray.tuning.objective import objective_values

    measured = {f"metrics/{name}": value for name, value in state.metrics.items() if name != "score"}
    return {
        **objective_values(state.metrics, floors),
        **measured,
        "percent": 100 * rung,
        "seconds": state.seconds,
        "steps": float(state.step),
    }
