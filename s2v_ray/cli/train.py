"""`s2v train`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from s2v_ray.cli.flags import Location, Settings
from s2v_ray.config import Config, with_settings
from s2v_ray.errors import UserError

if TYPE_CHECKING:
    from s2v_ray.recipes.train import Start, TrainJob
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
    from s2v_ray.dataset.index import read_dataset
    from s2v_ray.recipes.train import train_job, worker_range
    from s2v_ray.storage.paths import absolute, base_name
    from s2v_ray.training.schedule import config_budget

    if minutes is not None and minutes <= 0:
        raise UserError("out_of_range", f"--minutes is {minutes:g}, but must be above 0; or leave it out.")
    flags = {
        "training.steps": steps,
        "training.minutes": minutes,
        "training.seed": seed,
        "training.frames_per_chunk": frames_per_chunk,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    loaded = with_settings(config, given)
    least, most = worker_range(workers, loaded.training.batch_size)
    if bool(clips) == bool(videos):
        raise UserError(
            "bad_flags",
            "--clips (what s2v prepare wrote) or --videos (to train on them as they are) is needed, not both.",
        )
    if videos:
        if least != most or not most:
            raise UserError(
                "bad_flags",
                "--videos needs a fixed number of --workers, such as 2; without Ray, prepare the clips first.",
            )
        if dry_run:
            raise UserError("bad_flags", "--dry-run needs --clips; prepare a few of the videos to try a step on.")
        finished = _train_on_videos(videos, loaded, out, most, max_failures, device, init_from, skip_damaged)
    else:
        job = train_job(loaded, clips, out, init_from=init_from, skip_damaged=skip_damaged)
        if not read_dataset(clips).complete:
            print(f"'{clips}' is incomplete: its preparation was stopped, and its command resumes it.")
        if dry_run:
            from s2v_ray.cli.dry_run import print_dry_run

            print_dry_run(job, clips, device)
            return
        finished = _train_on_clips(job, config_budget(job.config), out, (least, most), max_failures, device)
    if not finished:
        raise KeyboardInterrupt
    if videos:
        print(f"Next: s2v generate --checkpoint {out} --image PICTURE --sound SOUND --out video.mp4")
    else:
        print(f"Next: s2v evaluate --checkpoint {out} --clips {clips} --out reports/{base_name(absolute(out))}")


def _train_on_clips(
    job: TrainJob, budget: Budget, out: str, workers: tuple[int, int], max_failures: int, device: str
) -> bool:
    from s2v_ray.cli.device import choose_device
    from s2v_ray.storage.lock import lock
    from s2v_ray.training.run import open_run

    here = None if workers[1] else choose_device(device)
    with lock(out, job.run):
        open_run(job.run, job.config)
        if here is None:
            return _train_on_workers(job, budget, workers, max_failures, device)
        from s2v_ray.training.interrupt import stop_signals
        from s2v_ray.training.workers import Workers

        with stop_signals() as stop:
            return train_and_show(job, budget, Workers(device=here), lambda location, metrics: None, stop)


def _train_on_videos(
    videos: tuple[str, ...],
    config: Config,
    out: str,
    workers: int,
    max_failures: int,
    device: str,
    init_from: str | None,
    skip_damaged: bool,
) -> bool:
    from dataclasses import replace

    from s2v_ray.cluster.streaming.decode import clip_dataset
    from s2v_ray.cluster.streaming.source import open_stream
    from s2v_ray.recipes.train import job_on, streaming_settings
    from s2v_ray.storage.lock import lock
    from s2v_ray.storage.paths import absolute
    from s2v_ray.training.checkpoint_files import find_checkpoint
    from s2v_ray.training.run import config_for_clips, open_run
    from s2v_ray.training.schedule import config_budget

    settings = streaming_settings(config)
    config = config_for_clips(config, settings)
    run = absolute(out)
    if init_from:
        find_checkpoint(init_from)
    with lock(out, run):
        open_run(run, config)
        stream = open_stream(
            [absolute(video) for video in videos], settings, config, run, workers=workers, device=device
        )
        job = replace(
            job_on(stream, config, run),
            init_from=absolute(init_from) if init_from else None,
            skip_damaged=skip_damaged,
        )
        dataset = clip_dataset(stream.epoch, stream.videos)
        return _train_on_workers(job, config_budget(config), (workers, workers), max_failures, device, dataset)


def _train_on_workers(
    job: TrainJob, budget: Budget, workers: tuple[int, int], max_failures: int, device: str, dataset: Any = None
) -> bool:
    from s2v_ray.cluster.training import train_on_workers

    return train_on_workers(
        partial(train_and_show, job, budget),
        workers=workers,
        device=device,
        run=job.run,
        max_failures=max_failures,
        clips=dataset,
    )


def train_and_show(job: TrainJob, budget: Budget, workers: Workers, report: Report, stop: Stop) -> bool:
    """Run a training in this process and print how far it is; returns False if it was stopped."""
    from s2v_ray.cli.progress import ProgressBar, status_line
    from s2v_ray.recipes.train import run_training

    def on_start(start: Start) -> None:
        if workers.rank == 0:
            print(*(f"Skipped: {reason}" for reason in start.skipped), sep="\n", end="\n" if start.skipped else "")
            print(f"{_described(start)}; checkpoints, samples and TensorBoard events go to {job.run}", flush=True)

    with ProgressBar("training") as bar:
        result = run_training(
            job,
            budget,
            workers,
            report,
            stop,
            on_start=on_start,
            show=lambda status: bar(status.done, status_line(status)),
        )
    if result.finished and workers.rank == 0:
        score = "" if result.best_score is None else f", best validation score {result.best_score:.3f}"
        print(f"Trained {result.step} steps in {result.seconds / 60:.1f} minutes{score}: {job.run}", flush=True)
    return result.finished


def _described(start: Start) -> str:
    if start.step:
        again = f", at the start of epoch {start.epoch + 1}, which it had not finished" if start.by_epoch else ""
        return f"Resuming from step {start.step}{again}"
    return f"Starting from the weights of {start.source}" if start.source else "Starting"
