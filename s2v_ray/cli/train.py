"""`s2v train`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from s2v_ray.config import Config, load_config
from s2v_ray.errors import UserError

if TYPE_CHECKING:
    from s2v_ray.dataset.settings import ClipSettings


def train(
    *,
    out: str,
    clips: str = "",
    videos: tuple[str, ...] = (),
    config: str = "stable",
    steps: int | None = None,
    minutes: float | None = None,
    workers: str = "0",
    max_failures: int = 3,
    device: str = "auto",
    seed: int | None = None,
    init_from: str | None = None,
    frames_per_chunk: int | None = None,
    skip_damaged: bool = False,
    dry_run: bool = False,
    settings: tuple[str, ...] = (),
) -> None:
    """Train a model on prepared clips, or on videos. Ctrl-C saves and stops; the same command goes on.

    Args:
        out: the run directory.
        clips: what s2v prepare wrote.
        videos: folders of videos, globs or files to train on without preparing them, for more than a disk can hold:
            spare CPUs decode them while the workers train. It goes on from the beginning of an epoch.
        config: a preset (stable; tiny, for two CPU cores; paper), or the path or URI of a TOML file.
        steps: how many steps in all, over resumes; by default the preset's (stable has 200,000).
        minutes: how many minutes in all, over resumes; the first limit to be reached ends the training.
        workers: processes that train together under Ray Train, such as 2, or 1:4 for as many of one to four as the
            cluster holds at the time; 0 trains in this process, without Ray.
        max_failures: how often Ray starts the workers again when one dies.
        device: auto, cpu or cuda.
        seed: of the first weights, the order of clips and the augmentation.
        init_from: a run or checkpoint whose weights to start from, for fine-tuning.
        frames_per_chunk: so many frames of a clip in memory at a time, for large models; the same gradients.
        skip_damaged: where the last checkpoint is damaged, go on from the latest one that is whole.
        dry_run: print the settings, the networks' sizes, and the memory and time of a step; write nothing.
        settings: any setting of the configuration as NAME=VALUE; --optim.generator-lr 1e-4 is the same as
            --settings optim.generator-lr=1e-4.
    """
    from s2v_ray.cli.device import choose_device
    from s2v_ray.dataset.index import read_dataset
    from s2v_ray.recipes.train_worker import clip_feed, train_here, video_feed
    from s2v_ray.storage.lock import lock
    from s2v_ray.storage.paths import absolute, base_name
    from s2v_ray.training.checkpoint import find_checkpoint
    from s2v_ray.training.run import config_for_clips, open_run

    if minutes is not None and minutes <= 0:
        raise UserError(f"--minutes is {minutes:g}, but must be above 0; leave it out to train --steps.")
    overrides = dict(name_and_value(setting) for setting in settings)
    flags = {
        "training.steps": steps,
        "training.minutes": minutes,
        "training.seed": seed,
        "training.frames_per_chunk": frames_per_chunk,
    }
    overrides |= {name: str(value) for name, value in flags.items() if value is not None}
    if bool(clips) == bool(videos):
        raise UserError(
            "--clips (what s2v prepare wrote) or --videos (to train on them as they are) is needed, not both."
        )
    loaded = read_config(config, overrides)
    run = absolute(out)
    least, most = worker_range(workers, loaded.training.batch_size)
    if videos:
        clip_settings = settings_to_stream(loaded, most if least == most else 0, dry_run)
    else:
        dataset_info = read_dataset(clips)
        clip_settings = dataset_info.settings
        if not dataset_info.complete:
            print(f"'{clips}' is not complete: the preparation was stopped, and its command goes on with it.")
        check_clips(clips, overrides)
    resolved = config_for_clips(loaded, clip_settings)
    check_model(resolved)
    if dry_run:
        from s2v_ray.cli.dry_run import dry_run as print_dry_run

        print_dry_run(resolved, clips, choose_device(device))
        return
    if init_from:
        find_checkpoint(init_from)
    run_device = None if most else choose_device(device)
    with lock(out, run):
        open_run(run, resolved)
        dataset = None
        if videos:
            from s2v_ray.cluster.decode import clip_dataset
            from s2v_ray.cluster.stream import open_stream

            places = [absolute(video) for video in videos]
            stream = open_stream(places, clip_settings, resolved, run, workers=(least, most), device=device)
            dataset = clip_dataset(stream.epoch, stream.videos)
            feed_of = partial(video_feed, stream, run)
        else:
            feed_of = partial(clip_feed, absolute(clips))
        loop = partial(train_here, resolved, feed_of, run, absolute(init_from) if init_from else None, skip_damaged)
        if run_device is None:
            from s2v_ray.cluster.training import train_on_workers

            finished = train_on_workers(
                loop, workers=(least, most), device=device, run=run, max_failures=max_failures, clips=dataset
            )
        else:
            from s2v_ray.training.interrupt import stop_signals
            from s2v_ray.training.workers import Workers

            with stop_signals() as stop:
                finished = loop(Workers(device=run_device), lambda location, metrics: None, stop)
    if not finished:
        raise KeyboardInterrupt
    if videos:
        print(f"Next: s2v generate --checkpoint {out} --image PICTURE --sound SOUND --out video.mp4")
    else:
        print(f"Next: s2v evaluate --checkpoint {out} --clips {clips} --out reports/{base_name(run)}")


def worker_range(workers: str, batch_size: int) -> tuple[int, int]:
    """The least and the most of "2" or "1:4". Raises UserError for anything else, and where some would have no clip."""
    least, colon, most = workers.partition(":")
    if not least.isdecimal() or (colon and not most.isdecimal()):
        raise UserError(f"--workers is '{workers}', but must be a number such as 2, or a range such as 1:4.")
    low, high = int(least), int(most or least)
    if low > high or (colon and low < 1):
        raise UserError(f"--workers is '{workers}', but a range goes from at least 1 upwards, such as 1:4.")
    if high > batch_size:
        raise UserError(
            f"--workers is {workers}, but must be 0 (without Ray) to {batch_size}, the clips of a batch; "
            "use fewer workers or a larger --training.batch-size."
        )
    return low, high


def check_clips(clips: str, overrides: dict[str, str]) -> None:
    """Raise UserError before anything is written where there is nothing to train on."""
    from s2v_ray.dataset.reader import ClipReader

    fixed = [name for name in overrides if name.startswith("clips.")]
    if fixed:
        raise UserError(f"--{fixed[0]} can't be set: the clips are as they were prepared; prepare others instead.")
    if not len(ClipReader(clips, "train")):
        raise UserError(f"'{clips}' has no clips in its split 'train'; prepare more videos.")


def read_config(name: str, overrides: dict[str, str]) -> Config:
    """A preset, a TOML file or one in an object store, with dotted overrides on top. Raises UserError."""
    from s2v_ray.config.load import config_from_toml, override
    from s2v_ray.storage.files import read_bytes
    from s2v_ray.storage.paths import is_uri

    if not is_uri(name):
        return load_config(name, overrides)
    config = config_from_toml(read_bytes(name).decode(errors="replace"), where=name)
    for dotted, text in overrides.items():
        config = override(config, dotted, text)
    return config


def check_model(config: Config) -> None:
    """Raise UserError before anything is written where the settings don't fit each other or the clips."""
    from s2v_ray.training.data.augmentation import frames_used
    from s2v_ray.training.networks import build_networks

    frames_used(config)
    build_networks(config)


def settings_to_stream(config: Config, workers: int, dry_run: bool) -> ClipSettings:
    """How videos are cut: as s2v prepare does by default, at the rates and sizes of the configuration.

    Raises UserError for what streaming can't do, and for rates and sizes that don't fit.
    """
    from s2v_ray.dataset.pixels import crop_size, stored_size_for
    from s2v_ray.dataset.settings import clip_settings
    from s2v_ray.media.clock import parse_frame_rate

    if not workers:
        raise UserError("--videos needs a fixed number of --workers, such as 2; without Ray, prepare the clips first.")
    if dry_run:
        raise UserError("--dry-run needs --clips; prepare a few of the videos to try a step on.")
    clips, resolution = config.clips, config.data.resolution
    if crop_size(clips.stored_size) < resolution:
        raise UserError(
            f"--clips.stored-size is {clips.stored_size}, but --data.resolution {resolution} needs at least "
            f"{stored_size_for(resolution)}."
        )
    at_rates = clip_settings(
        clip_seconds=4 * parse_frame_rate(clips.frame_rate).denominator,  # whole frames, to be replaced
        frame_rate=clips.frame_rate,
        sample_rate=clips.sample_rate,
        stored_size=clips.stored_size,
    )
    return replace(at_rates, frames=clips.frames)


def name_and_value(setting: str) -> tuple[str, str]:
    """The two parts of a setting on the command line. Raises UserError for any other form."""
    name, equals, value = setting.partition("=")
    if not equals:
        raise UserError(f"--settings '{setting}' must have the form NAME=VALUE, such as optim.generator-lr=1e-4.")
    return name, value
