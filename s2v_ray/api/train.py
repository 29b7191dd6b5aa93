"""`s2v_ray.train`: a model from prepared clips."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from types import MappingProxyType

from s2v_ray.api.inputs import Path, Paths, data_sets, location, naming_arguments, resolved_config, trackers
from s2v_ray.api.progress import progress_bar
from s2v_ray.config import Config
from s2v_ray.errors import UserError, in_names
from s2v_ray.recipes.train import (
    PreparedClips,
    TrainJob,
    asked_config,
    domains_of,
    fitted_config,
    job_on,
    prepared_settings,
    run_training,
    this_process,
    tracked_settings,
    worker_range,
)
from s2v_ray.storage.lock import lock
from s2v_ray.storage.own_folders import RUN, check_output_folder
from s2v_ray.storage.paths import base_name
from s2v_ray.tracking.track import start_tracking
from s2v_ray.tracking.tracker import TENSORBOARD
from s2v_ray.training.checkpoint import read_description
from s2v_ray.training.checkpoint_files import find_checkpoint, last_checkpoint
from s2v_ray.training.interrupt import stop_signals
from s2v_ray.training.loop import Report, Stop
from s2v_ray.training.run import open_run
from s2v_ray.training.schedule import TrainingStatus, config_budget
from s2v_ray.training.workers import Workers

_LOG = logging.getLogger("s2v_ray")
_NO_SETTINGS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class Trained:
    """A run: where it is, its best checkpoint, and how far it is.

    `best_score` is the best checkpoint's validation score, None where nothing was validated; `metrics` are those of the
    last validation by name.
    """

    run: str
    checkpoint: str
    step: int
    seconds: float
    best_score: float | None
    metrics: Mapping[str, float]


@naming_arguments()
def train(
    clips: Paths,
    out: Path,
    *,
    config: str | PathLike[str] | Config = "stable",
    settings: Mapping[str, object] = _NO_SETTINGS,
    clip_weights: Sequence[float] = (),
    steps: int | None = None,
    minutes: float | None = None,
    device: str = "auto",
    workers: int | str = 0,
    max_failures: int = 3,
    seed: int | None = None,
    init_from: Path | None = None,
    frames_per_chunk: int | None = None,
    skip_damaged: bool = False,
    track: str | Sequence[str] = TENSORBOARD,
    on_status: Callable[[TrainingStatus], None] | None = None,
    progress: bool = True,
) -> Trained:
    """Train a model on prepared clips. Ctrl-C, or a notebook's stop button, saves first; the same call resumes.

    Args:
        clips: what `prepare` wrote; several folders, globs or URIs are trained on together.
        out: the run directory.
        config: a preset (tiny, small, stable, large, paper), a TOML file, or a `Config`.
        settings: what to change of it, by dotted names: {"optim.generator_lr": 5e-4}.
        clip_weights: how often clips are drawn from each of `clips`, such as (1, 3).
        steps: how many steps in all, before and after resuming; by default the preset's.
        minutes: how many minutes in all, likewise; the limit that is reached first ends the training.
        device: auto, cpu or cuda.
        workers: processes that train together under Ray Train, 2 or "1:4"; 0 trains in this process, without Ray.
        max_failures: how many times Ray restarts the workers after one has died.
        seed: seed for the initial weights, the order of clips and the augmentation.
        init_from: a run or checkpoint whose weights to start from, for fine-tuning.
        frames_per_chunk: how many frames of a clip are in memory at a time, for large models; same gradients.
        skip_damaged: if the last checkpoint is damaged, resume from the latest intact one.
        track: where to follow the training: tensorboard (event files in the run's folder), wandb, mlflow, or several.
        on_status: called every ten steps, in this process, with the step, the losses by name, the speed and the time
            left. What it raises ends the training as it stands.
        progress: whether to show progress.

    What is worth knowing about the start (that it resumes, that there is little to validate on) goes to the log
    `s2v_ray`. Raises KeyboardInterrupt once a stopped training is saved, and UserError for settings that are unknown,
    out of range or don't fit the clips, for an `out` that was trained otherwise or is in use, and where the training
    fails.
    """
    run = location(out, "--out")
    start = location(init_from, "--init-from") if init_from else None
    followed = trackers(track)
    resolved = asked_config(
        resolved_config(config, settings),
        clip_weights=tuple(clip_weights),
        steps=steps,
        minutes=minutes,
        seed=seed,
        frames_per_chunk=frames_per_chunk,
    )
    least, most = worker_range(str(workers), resolved.training.batch_size)
    if most and on_status:
        raise UserError("wrong_flags", "on_status is called in this process; leave it out, or --workers.")
    places = data_sets(clips)
    resolved = fitted_config(resolved, prepared_settings(places, resolved.training.clip_weights))
    domain = domains_of(places, _log)
    weights = find_checkpoint(start) if start else None
    here = this_process(device, on_ray=bool(most))
    check_output_folder(run, "--out", RUN)
    with lock(run, run):
        open_run(run, resolved)
        about = tracked_settings(resolved, run, places, start)
        tracking = start_tracking(run, followed, name=base_name(run), settings=about)
        job = job_on(PreparedClips(places), resolved, run, weights, skip_damaged=skip_damaged, tracking=tracking)
        loop = partial(_train, job, on_status, progress)
        if here is None:
            from s2v_ray.cluster.training import train_on_workers  # loads Ray

            finished = train_on_workers(
                loop, workers=(least, most), device=device, run=run, domain=domain, max_failures=max_failures
            )
        else:
            with stop_signals() as stop:
                finished = loop(here, lambda location, metrics: None, stop)
    if not finished:
        raise KeyboardInterrupt
    return _trained(run)


def _train(
    job: TrainJob,
    on_status: Callable[[TrainingStatus], None] | None,
    progress: bool,
    workers: Workers,
    report: Report,
    stop: Stop,
) -> bool:
    """Train in this process; returns False if it was stopped."""
    with progress_bar("training", shown=progress and workers.rank == 0) as show:

        def tell(status: TrainingStatus) -> None:
            show(status.done, _text(status))
            if on_status:
                on_status(status)

        notify = _log if workers.rank == 0 else lambda message: None
        _, finished = run_training(job, config_budget(job.config), workers, report, stop, notify=notify, show=tell)
    return finished


def _log(message: str) -> None:
    _LOG.warning(in_names(message))


def _text(status: TrainingStatus) -> str:
    names = {"loss/reconstruction": "reconstruction", "validation/score": "score"}
    values = [f"{label} {status.values[name]:.3g}" for name, label in names.items() if name in status.values]
    return ", ".join([f"step {status.step}", *values, f"{status.seconds_left:.0f} s left"])


def _trained(run: str) -> Trained:
    described = read_description(last_checkpoint(run) or run)
    score, metrics = described["best_score"], described["metrics"]
    return Trained(run, find_checkpoint(run), described["step"], described["training_seconds"], score, metrics)
