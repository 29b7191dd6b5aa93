"""`s2v train`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from s2v_ray.cli.device import choose_device
from s2v_ray.cli.flags import Location, Settings
from s2v_ray.cli.progress import ProgressBar, status_line
from s2v_ray.config import with_settings
from s2v_ray.errors import UserError
from s2v_ray.storage.lock import lock
from s2v_ray.storage.paths import base_name

if TYPE_CHECKING:
    from s2v_ray.recipes.train import TrainJob
    from s2v_ray.training.loop import Report, Stop
    from s2v_ray.training.schedule import Budget
    from s2v_ray.training.workers import Workers


def train(
    *,
    config: Settings,
    out: Location,
    clips: Location = "",
    videos: tuple[Location, ...] = (),
    steps: int | None = None,
    minutes: float | None = None,
    workers: str = "0",
    max_failures: int = 3,
    device: str = "auto",
    seed: int | None = None,
    init_from: Location | None = None,
    frames_per_chunk: int | None = None,
    skip_damaged: bool = False,
    dry_run: bool = False,
) -> None:
    """Train a model on prepared clips, or on videos. Ctrl-C saves and stops; the same command resumes.

    Args:
        config: the settings.
        out: the run directory.
        clips: what s2v prepare wrote.
        videos: folders of videos, globs or files to train on without preparing them, for more than a disk can hold:
            spare CPUs decode them while the workers train. An unfinished epoch is started again when it resumes.
        steps: how many steps in all, over resumes; by default the preset's (stable has 200,000).
        minutes: how many minutes in all, over resumes; the first limit to be reached ends the training.
        workers: processes that train together under Ray Train, such as 2, or 1:4 for as many of one to four as the
            cluster holds at the time; 0 trains in this process, without Ray.
        max_failures: how many times Ray restarts the workers after one has died.
        device: auto, cpu or cuda.
        seed: of the first weights, the order of clips and the augmentation.
        init_from: a run or checkpoint whose weights to start from, for fine-tuning.
        frames_per_chunk: how many frames of a clip are in memory at a time, for large models; the gradients are equal.
        skip_damaged: if the last checkpoint is damaged, resume from the latest intact one.
        dry_run: print the settings, the networks' sizes, and the memory and time of a step; write nothing.
    """
    from s2v_ray.recipes.train import (
        PreparedClips,
        fitted_config,
        job_on,
        prepared_settings,
        streaming_settings,
        worker_range,
    )
    from s2v_ray.training.checkpoint_files import find_checkpoint
    from s2v_ray.training.run import open_run
    from s2v_ray.training.schedule import config_budget

    if minutes is not None and minutes <= 0:
        raise UserError("out_of_range", f"--minutes is {minutes:g}, but must be above 0; or leave it out.")
    flags = {
        "training.steps": steps,
        "training.minutes": minutes,
        "training.seed": seed,
        "training.frames_per_chunk": frames_per_chunk,
    }
    config = with_settings(config, {name: value for name, value in flags.items() if value is not None})
    least, most = worker_range(workers, config.training.batch_size)
    if bool(clips) == bool(videos):
        raise UserError(
            "bad_flags", "Give --clips (what s2v prepare wrote) or --videos (to train on them as they are)."
        )
    if videos and (least != most or not most or dry_run):
        raise UserError(
            "bad_flags",
            "--videos needs a fixed number of --workers, such as 2, and has no --dry-run; otherwise prepare the clips.",
        )
    settings = streaming_settings(config) if videos else prepared_settings(clips)
    config = fitted_config(config, settings)
    weights = find_checkpoint(init_from) if init_from else None
    here = choose_device(device)
    if dry_run:
        from s2v_ray.cli.dry_run import print_dry_run

        print_dry_run(job_on(PreparedClips(clips), config, out), clips, here)
        return
    with lock(out, out):
        open_run(out, config)
        source: Any = PreparedClips(clips)
        if videos:
            from s2v_ray.cluster.streaming.source import open_stream

            source = open_stream(list(videos), settings, config, out, workers=most, device=device)
        job = job_on(source, config, out, weights, skip_damaged=skip_damaged)
        loop = partial(train_and_print, job, config_budget(config))
        if most:
            from s2v_ray.cluster.training import train_on_workers

            finished = train_on_workers(
                loop,
                workers=(least, most),
                device=device,
                run=out,
                max_failures=max_failures,
                clips=source.dataset() if videos else None,
            )
        else:
            from s2v_ray.training.interrupt import stop_signals
            from s2v_ray.training.workers import Workers

            with stop_signals() as stop:
                finished = loop(Workers(device=here), lambda location, metrics: None, stop)
    if not finished:
        raise KeyboardInterrupt
    if videos:
        print(f"Next: s2v generate --checkpoint {out} --image IMAGE --sound SOUND --out video.mp4")
    else:
        print(f"Next: s2v evaluate --checkpoint {out} --clips {clips} --out reports/{base_name(out)}")


def train_and_print(job: TrainJob, budget: Budget, workers: Workers, report: Report, stop: Stop) -> bool:
    """Run a training in this process and print how far it is; returns False if it was stopped."""
    from s2v_ray.recipes.train import run_training

    leads = workers.rank == 0
    if leads:
        print(f"Checkpoints, samples and TensorBoard events go to {job.run}", flush=True)
    with ProgressBar("training") as bar:
        state, finished = run_training(
            job,
            budget,
            workers,
            report,
            stop,
            notify=lambda message: print(message, flush=True) if leads else None,
            show=lambda status: bar(status.done, status_line(status)),
        )
    if finished and leads:
        score = "" if state.best_score is None else f", best validation score {state.best_score:.3f}"
        print(f"Trained {state.step} steps in {state.seconds / 60:.1f} minutes{score}: {job.run}", flush=True)
    return finished
