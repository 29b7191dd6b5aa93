"""`s2v train`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from s2v_ray.cli.flags import Location, Settings
from s2v_ray.cli.next_command import command
from s2v_ray.cli.progress import ProgressBar, status_line
from s2v_ray.cli.result import Result
from s2v_ray.cli.track import Track
from s2v_ray.dataset.collection import find_data_sets
from s2v_ray.errors import UserError
from s2v_ray.storage.lock import lock
from s2v_ray.storage.own_folders import RUN, check_output_folder
from s2v_ray.storage.paths import base_name
from s2v_ray.tracking.tracker import TENSORBOARD
from s2v_ray.training.device import choose_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from s2v_ray.recipes.train import TrainJob
    from s2v_ray.training.loop import Report, Stop
    from s2v_ray.training.workers import Workers


def train(
    *,
    config: Settings,
    out: Location,
    clips: tuple[Location, ...] = (),
    clip_weights: tuple[float, ...] = (),
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
    track: Track = (TENSORBOARD,),
    dry_run: bool = False,
    audio_track: int = 0,
    video_track: int = 0,
) -> Result:
    """Train a model on prepared clips, or on videos. Ctrl-C saves and stops; the same command resumes.

    Args:
        config: the settings.
        out: the run directory.
        clips: what s2v prepare wrote; several folders, globs or URIs are trained on together. Their rates, frames and
            stored sizes must be the same.
        clip_weights: how often clips are drawn from each of --clips, such as 1 3; by default each clip equally often.
        videos: folders of videos, globs or files to train on without preparing them, for more than a disk can hold:
            spare CPUs decode them while the workers train.
        steps: how many steps in all, before and after resuming; by default the preset's (stable has 200,000).
        minutes: how many minutes in all, likewise; the limit that is reached first ends the training.
        workers: processes that train together under Ray Train, such as 2, or 1:4 for one to four, as many as
            the cluster holds at the time; 0 trains in this process, without Ray.
        max_failures: how many times Ray restarts the workers after one has died.
        device: auto, cpu or cuda.
        seed: seed for the initial weights, the order of clips and the augmentation.
        init_from: a run or checkpoint whose weights to start from, for fine-tuning.
        frames_per_chunk: how many frames of a clip are in memory at a time, for large models; same gradients.
        skip_damaged: if the last checkpoint is damaged, resume from the latest intact one.
        track: where to follow the training: tensorboard (event files in the run's folder), wandb, mlflow, or several.
            Servers and credentials are those in the libraries' own environment variables; nothing is sent to one that
            isn't named.
        audio_track: which audio track of --videos to take, counted from 1; 0 is the first that works.
        video_track: which video track, likewise.
        dry_run: print the settings, the networks' sizes, and the memory and time of a step; write nothing.
    """
    from s2v_ray.recipes import train as recipe
    from s2v_ray.tracking.track import start_tracking
    from s2v_ray.training.checkpoint_files import find_checkpoint
    from s2v_ray.training.run import open_run

    config = recipe.asked_config(
        config, clip_weights=clip_weights, steps=steps, minutes=minutes, seed=seed, frames_per_chunk=frames_per_chunk
    )
    least, most = recipe.worker_range(workers, config.training.batch_size)
    if bool(clips) == bool(videos):
        raise UserError("bad_flags", "Give either --clips (from s2v prepare) or --videos (which need no preparing).")
    if videos and not most and not dry_run:
        raise UserError("bad_flags", "--videos needs --workers, such as 2 or 1:4: they train while others decode.")
    if (audio_track or video_track) and not videos:
        raise UserError("bad_flags", "--audio-track and --video-track go with --videos; give them to s2v prepare.")
    shares = config.training.clip_weights
    if shares and videos:
        raise UserError("bad_flags", "--clip-weights goes with --clips; videos are drawn equally often.")
    clips = find_data_sets(clips) if clips else ()
    settings = recipe.streaming_settings(config) if videos else recipe.prepared_settings(clips, shares)
    settings = replace(settings, audio_track=audio_track, video_track=video_track) if videos else settings
    config = recipe.fitted_config(config, settings)
    domain = recipe.domains_of(clips, print)
    weights = find_checkpoint(init_from) if init_from else None
    here = recipe.this_process(device, on_ray=bool(most))
    source: Any = recipe.PreparedClips(clips)
    if dry_run:
        from s2v_ray.cli.dry_run import print_dry_run, print_dry_run_on_videos

        job = recipe.job_on(source, config, out)
        if videos:
            return print_dry_run_on_videos(job, list(videos), settings, choose_device(device))
        return print_dry_run(job, clips, choose_device(device))
    check_output_folder(out, "--out", RUN)
    with lock(out, out):
        open_run(out, config)
        if videos:
            from s2v_ray.cluster.streaming.source import open_stream

            source = open_stream(list(videos), settings, config, out, workers=(least, most), device=device)
        about = recipe.tracked_settings(config, out, clips or videos, init_from)
        tracking = start_tracking(out, track, name=base_name(out), settings=about)
        job = recipe.job_on(source, config, out, weights, skip_damaged=skip_damaged, tracking=tracking)
        loop = partial(train_and_print, job)
        if here is None:
            from s2v_ray.cluster.training import train_on_workers
            from s2v_ray.recipes.prepare import domain_of

            finished = train_on_workers(
                loop,
                workers=(least, most),
                device=device,
                run=out,
                domain=domain if clips else domain_of((videos[0],)),
                max_failures=max_failures,
                clips=source.dataset() if videos else None,
            )
        else:
            from s2v_ray.training.interrupt import stop_signals

            with stop_signals() as stop:
                finished = loop(here, lambda location, metrics: None, stop)
    if not finished:
        raise KeyboardInterrupt
    if videos:
        following = command("generate", checkpoint=out, image="IMAGE", sound="SOUND", out="video.mp4")
    else:
        following = command("evaluate", checkpoint=out, clips=clips, out=f"reports/{base_name(out)}")
    print(f"Next: {following}")
    return {**_trained(out), "next": [following]}


def _trained(run: str) -> Result:
    """What a finished training left, as its last checkpoint says: workers elsewhere may have made it."""
    from s2v_ray.training.checkpoint import read_description
    from s2v_ray.training.checkpoint_files import find_checkpoint, last_checkpoint

    last = str(last_checkpoint(run))
    state = read_description(last)
    result: Result = {"outputs": {"run": run, "best": find_checkpoint(run), "last": last}, "steps": state["step"]}
    return result | {name: state[name] for name in ("training_seconds", "clips_seen", "best_score", "metrics")}


def train_and_print(job: TrainJob, workers: Workers, report: Report, stop: Stop) -> bool:
    """Run a training in this process and print how far it is; returns False if it was stopped."""
    from s2v_ray.recipes.train import run_training
    from s2v_ray.training.schedule import config_budget

    leads = workers.rank == 0
    notify: Callable[[str], None] = partial(print, flush=True) if leads else lambda message: None
    written = "Checkpoints, samples and TensorBoard events" if job.tracking.tensorboard else "Checkpoints and samples"
    notify(f"{written} go to {job.run}")
    with ProgressBar("training") as bar:
        state, finished = run_training(
            job,
            config_budget(job.config),
            workers,
            report,
            stop,
            notify=notify,
            show=lambda status: bar(status.done, status_line(status)),
        )
    if finished and leads:
        score = "" if state.best_score is None else f", best validation score {state.best_score:.3f}"
        print(f"Trained {state.step} steps in {state.seconds / 60:.1f} minutes{score}: {job.run}", flush=True)
    return finished
