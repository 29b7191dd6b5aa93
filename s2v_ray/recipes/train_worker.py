"""What each process of `s2v train` does: put together data, validation, state and loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2v_ray.config import Config

if TYPE_CHECKING:
    from s2v_ray.cluster.stream import VideoStream
    from s2v_ray.training.data.loader import Batch
    from s2v_ray.training.loop import Saved, Stop, Validate
    from s2v_ray.training.state import TrainingState
    from s2v_ray.training.workers import Workers


@dataclass(frozen=True)
class Feed:
    """What to train on, by its fingerprint, and how to validate."""

    fingerprint: str
    validate: Validate | None
    batches: Callable[[TrainingState], Iterator[Batch]]  # those of the state's next step, and on
    by_epoch: bool = False  # whether an unfinished epoch is begun again at a resume


def clip_feed(clips: str, config: Config, workers: Workers) -> Feed:
    """Prepared clips."""
    from s2v_ray.dataset.reader import ClipReader
    from s2v_ray.training.data.loader import training_batches

    reader = ClipReader(clips, "train", cache_gib=config.training.clip_cache_gib)

    def batches(state: TrainingState) -> Iterator[Batch]:
        place = {"first_step": state.step, "rank": workers.rank, "world_size": workers.world_size}
        return training_batches(reader, config, workers.device, **place)

    return Feed(reader.fingerprint, _validation(config, clips), batches)


def video_feed(stream: VideoStream, run: str, config: Config, workers: Workers) -> Feed:
    """Videos that are decoded meanwhile."""
    from s2v_ray.cluster.feed import stream_batches

    def batches(state: TrainingState) -> Iterator[Batch]:
        return stream_batches(stream, config, run, workers, first_epoch=state.epoch, first_step=state.step)

    return Feed(stream.fingerprint, _validation(config, stream.held_out), batches, by_epoch=True)


def _validation(config: Config, clips: str) -> Validate | None:
    from s2v_ray.dataset.reader import ClipReader
    from s2v_ray.evaluation.validation import validation

    cache_gib = config.training.clip_cache_gib
    held_out, more = (ClipReader(clips, split, cache_gib=cache_gib) for split in ("val", "train"))
    return validation(held_out, more, clips=config.training.validate_clips, resolution=config.data.resolution)


def train_here(
    config: Config,
    feed_of: Callable[[Config, Workers], Feed],
    run: str,
    init_from: str | None,
    skip_damaged: bool,
    workers: Workers,
    saved: Saved,
    stop: Stop,
) -> bool:
    """Train in this process, alone or as one of several workers; False where `stop` ended it."""
    from s2v_ray.cli.progress import ProgressBar, status_line
    from s2v_ray.training.checkpoint import find_checkpoint, load_weights
    from s2v_ray.training.loop import resume
    from s2v_ray.training.loop import train as train_loop
    from s2v_ray.training.state import new_state

    feed = feed_of(config, workers)
    state = new_state(config, workers.device, distributed=workers.world_size > 1)
    if resume(state, run, feed.fingerprint, skip_damaged=skip_damaged):
        told = f"Going on from step {state.step}"
        if feed.by_epoch:
            told += f", at the beginning of epoch {state.epoch + 1}: what it saw of this one comes again"
    elif init_from:
        load_weights(state, find_checkpoint(init_from))
        told = f"Starting from the weights of {init_from}"
    else:
        told = "Starting"
    workers.check_same_step(state.step)
    if workers.rank == 0:
        print(f"{told}; checkpoints, samples and TensorBoard events go to {run}", flush=True)
    with ProgressBar("training") as bar:
        finished = train_loop(
            state,
            feed.batches(state),
            run,
            validate=feed.validate,
            show=lambda status: bar(status.done, status_line(status)),
            stop=stop,
            workers=workers,
            saved=saved,
        )
    if finished and workers.rank == 0:
        score = "" if state.best_score is None else f", best validation score {state.best_score:.3f}"
        print(f"Trained {state.step} steps in {state.seconds / 60:.1f} minutes{score}: {run}", flush=True)
    return finished
