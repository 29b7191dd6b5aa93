"""`s2v train`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from s2v_ray.config import Config, UserError, load_config

if TYPE_CHECKING:
    from s2v_ray.training.loop import Saved, Stop
    from s2v_ray.training.workers import Workers


def train(
    *,
    clips: str,
    out: str,
    config: str = "tiny",
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
    """Train a model on prepared clips. Ctrl-C saves and stops; the same command goes on.

    Args:
        clips: what s2v prepare wrote.
        out: the run directory.
        config: a preset (tiny, paper) or a TOML file.
        steps: how many steps in all, over resumes; by default the preset's (tiny has 100,000).
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
    from s2v_ray.clips.dataset import read_dataset
    from s2v_ray.media.storage import absolute, is_uri
    from s2v_ray.training.checkpoint import find_checkpoint
    from s2v_ray.training.run import config_for_clips, open_run

    if minutes is not None and minutes <= 0:
        raise UserError(f"--minutes is {minutes:g}, but must be above 0; leave it out to train --steps.")
    if is_uri(out):
        raise UserError(f"--out '{out}' is a URI, but a run is written to local or mounted folders only.")
    overrides = dict(_name_and_value(setting) for setting in settings)
    flags = {
        "training.steps": steps,
        "training.minutes": minutes,
        "training.seed": seed,
        "training.frames_per_chunk": frames_per_chunk,
    }
    overrides |= {name: str(value) for name, value in flags.items() if value is not None}
    clip_settings, description = read_dataset(clips)
    if not description["complete"]:
        print(f"'{clips}' is not complete: the preparation was stopped, and its command goes on with it.")
    resolved = config_for_clips(load_config(config, overrides), clip_settings)
    run = Path(absolute(out))
    least, most = worker_range(workers, resolved.training.batch_size)
    check(resolved, clips, overrides)
    if dry_run:
        from s2v_ray.cli.dry_run import dry_run as print_dry_run

        print_dry_run(resolved, clips, choose_device(device))
        return
    if init_from:
        find_checkpoint(init_from)
    run_device = None if most else choose_device(device)
    open_run(run, resolved)
    start_from = absolute(init_from) if init_from else None
    loop = partial(train_here, resolved, absolute(clips), run, start_from, skip_damaged)
    if run_device is None:
        from s2v_ray.cluster.train import train_on_workers

        finished = train_on_workers(loop, workers=(least, most), device=device, run=run, max_failures=max_failures)
    else:
        from s2v_ray.training.interrupt import stop_signals
        from s2v_ray.training.workers import Workers

        with stop_signals() as stop:
            finished = loop(Workers(device=run_device), lambda location, metrics: None, stop)
    if not finished:
        raise KeyboardInterrupt
    print(f"Next: s2v evaluate --checkpoint {out} --clips {clips} --out reports/{run.name}")


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


def check(config: Config, clips: str, overrides: dict[str, str]) -> None:
    """Raise UserError before anything is written where the settings don't fit each other or the clips."""
    from s2v_ray.clips.augmentation import window_frames
    from s2v_ray.clips.reader import ClipReader
    from s2v_ray.training.networks import build_networks

    fixed = [name for name in overrides if name.startswith("clips.")]
    if fixed:
        raise UserError(f"--{fixed[0]} can't be set: the clips are as they were prepared; prepare others instead.")
    if not len(ClipReader(clips, "train")):
        raise UserError(f"'{clips}' has no clips in its split 'train'; prepare more videos.")
    window_frames(config)
    build_networks(config)


def train_here(
    config: Config,
    clips: str,
    run: Path,
    init_from: str | None,
    skip_damaged: bool,
    workers: Workers,
    saved: Saved,
    stop: Stop,
) -> bool:
    """Train in this process, alone or as one of several workers; False where `stop` ended it."""
    from s2v_ray.clips.batch import training_batches
    from s2v_ray.clips.reader import ClipReader
    from s2v_ray.evaluation.validation import validation
    from s2v_ray.training.checkpoint import find_checkpoint, load_weights
    from s2v_ray.training.loop import resume
    from s2v_ray.training.loop import train as train_loop
    from s2v_ray.training.progress import ProgressBar
    from s2v_ray.training.state import new_state

    reader = ClipReader(clips, "train")
    state = new_state(config, workers.device, distributed=workers.world_size > 1)
    if resume(state, run, reader.fingerprint, skip_damaged=skip_damaged):
        told = f"Going on from step {state.step}"
    elif init_from:
        load_weights(state, find_checkpoint(init_from))
        told = f"Starting from the weights of {init_from}"
    else:
        told = "Starting"
    workers.check_same_step(state.step)
    if workers.rank == 0:
        print(f"{told}; checkpoints, samples and TensorBoard events go to {run}", flush=True)
    validate = validation(
        ClipReader(clips, "val"), reader, clips=config.training.validate_clips, resolution=config.data.resolution
    )
    place = {"first_step": state.step, "rank": workers.rank, "world_size": workers.world_size}
    with ProgressBar("training") as bar:
        finished = train_loop(
            state,
            training_batches(reader, config, workers.device, **place),
            run,
            validate=validate,
            show=lambda standing: bar(standing.done, standing.line()),
            stop=stop,
            workers=workers,
            saved=saved,
        )
    if finished and workers.rank == 0:
        score = "" if state.best_score is None else f", best validation score {state.best_score:.3f}"
        print(f"Trained {state.step} steps in {state.seconds / 60:.1f} minutes{score}: {run}", flush=True)
    return finished


def _name_and_value(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise UserError(f"--settings '{setting}' must have the form NAME=VALUE, such as optim.generator-lr=1e-4.")
    return name, value
