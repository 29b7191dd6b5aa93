"""What `s2v train` does: a `TrainJob`, built once, and run unchanged here, by Ray's workers or by a sweep's trial."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from torch import Tensor

from s2v_ray.config import Config, with_settings
from s2v_ray.dataset.collection import Clips, DataSets, common_settings, open_clips, places
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.settings import CENTRE, OFF, ClipSettings, clip_settings
from s2v_ray.errors import UserError
from s2v_ray.evaluation.validation import validation, validation_warning
from s2v_ray.media.clock import parse_frame_rate
from s2v_ray.recipes.copies import refuse_copies
from s2v_ray.tracking.track import Tracking, open_trackers
from s2v_ray.tracking.tracker import FINISHED, STOPPED, Tracker
from s2v_ray.training.checkpoint import load_model, load_weights, run_schedule
from s2v_ray.training.checkpoint_files import checkpoint_at, is_intact
from s2v_ray.training.data.augmentation import frames_used
from s2v_ray.training.data.loader import Batch, training_batches
from s2v_ray.training.data.mean_frame import mean_frame
from s2v_ray.training.data.order import too_many_workers, weighted_parts
from s2v_ray.training.data.pixels import crop_size, stored_size_for
from s2v_ray.training.device import choose_device
from s2v_ray.training.loop import Report, Stop, train
from s2v_ray.training.networks import build_networks
from s2v_ray.training.run import config_for_clips, resume
from s2v_ray.training.run_status import StatusWriter
from s2v_ray.training.schedule import Budget, Schedule, TrainingStatus
from s2v_ray.training.scoring import Validate, Validation
from s2v_ray.training.state import TrainingState, finished_schedule, new_state
from s2v_ray.training.workers import ALONE, Workers


@dataclass(frozen=True)
class Feed:
    """What one worker trains on.

    `fingerprint` identifies the clips. `batches` are those of a state's next step and of all after it. `warning` is a
    sentence if there is too little to validate on. `mean_frame` is None for videos that are decoded meanwhile: of
    these, a model sees the central squares, and later of pictures, too.
    """

    fingerprint: str
    validate: Validate | None
    batches: Callable[[TrainingState], Iterator[Batch]]
    warning: str | None = None
    mean_frame: Callable[[], Tensor] | None = None


class ClipSource(Protocol):
    """Where clips come from: prepared ones, or videos that are decoded meanwhile."""

    def open(self, config: Config, run: str, workers: Workers) -> Feed:
        """The part of this worker."""


@dataclass(frozen=True)
class PreparedClips:
    """What `s2v prepare` wrote, in one place or in several."""

    clips: DataSets

    def open(self, config: Config, run: str, workers: Workers) -> Feed:
        """This worker's slices of the batches."""
        reader = open_clips(self.clips, "train", cache_gib=config.training.clip_cache_gib)

        def batches(state: TrainingState) -> Iterator[Batch]:
            ranks = {"rank": workers.rank, "world_size": workers.world_size}
            return training_batches(reader, config, workers.device, first_step=state.step, **ranks)

        validate, warning = held_out_validation(self.clips, config)
        mean = partial(mean_frame, reader, config.data.resolution)
        return Feed(reader.fingerprint, validate, batches, warning=warning, mean_frame=mean)


@dataclass(frozen=True)
class TrainJob:
    """A training as a value. How far to train is an argument of what runs it, and never changes the job."""

    config: Config
    clips: ClipSource
    schedule: Schedule
    run: str
    init_from: str | None = None
    skip_damaged: bool = False
    tracking: Tracking = field(default_factory=Tracking)


def job_on(
    clips: ClipSource,
    config: Config,
    run: str,
    init_from: str | None = None,
    *,
    skip_damaged: bool = False,
    tracking: Tracking | None = None,
) -> TrainJob:
    """A training on clips, to which the configuration fits; the schedule is that of the run if it was opened before."""
    return TrainJob(config, clips, run_schedule(run, config), run, init_from, skip_damaged, tracking or Tracking())


def tracked_settings(config: Config, run: str, data: Sequence[str], init_from: str | None = None) -> dict[str, Any]:
    """What an entry in a tracker says of a training: its configuration, and where it is, on what, and from what.

    Options of URIs are left out: they are of no use elsewhere.
    """
    places = {"run": run, "data_sets": " ".join(data), "init_from": init_from or ""}
    return asdict(config) | {name: re.sub(r"\?\S*", "", text) for name, text in places.items()}


def asked_config(
    config: Config,
    *,
    clip_weights: Sequence[float] = (),
    steps: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    frames_per_chunk: int | None = None,
) -> Config:
    """The configuration with what has a flag of its own; what is not given is left. Raises UserError."""
    if minutes is not None and minutes <= 0:
        raise UserError("out_of_range", f"--minutes is {minutes:g}, but must be above 0; or leave it out.")
    asked: dict[str, Any] = {"steps": steps, "minutes": minutes, "seed": seed, "frames_per_chunk": frames_per_chunk}
    asked |= {"clip_weights": clip_weights or None}
    return with_settings(config, {f"training.{name}": asked[name] for name in asked if asked[name] is not None})


def this_process(device: str, *, on_ray: bool) -> Workers | None:
    """This process as the one that trains; None if Ray's workers do, which choose a device where they are.

    Raises UserError for a device that is unknown or not there.
    """
    if not on_ray:
        return Workers(device=choose_device(device))
    if device not in ("auto", "cpu", "cuda"):
        raise UserError("unknown_device", f"--device is '{device}', but with --workers it must be auto, cpu or cuda.")
    return None


def domains_of(clips: Sequence[str], tell: Callable[[str], None]) -> str:
    """The domains of data sets; `tell` gets a sentence about each that is incomplete."""
    domains = set()
    for location in clips:
        described = read_dataset(location)
        domains.add(described.domain)
        if not described.complete:
            tell(f"'{location}' is incomplete: its preparation was stopped; the same s2v prepare command resumes it.")
    return "+".join(sorted(domains))


def prepared_settings(clips: DataSets, weights: Sequence[float] = ()) -> ClipSettings:
    """What prepared clips are. Raises UserError if there are none to train on, or if they can't be used together."""
    weighted_parts(check_clips(clips).counts, weights)
    refuse_copies(clips)
    return common_settings(clips)


def fitted_config(config: Config, settings: ClipSettings) -> Config:
    """The configuration with what the clips are. Raises UserError if its settings don't fit them or each other."""
    config = config_for_clips(config, settings)
    frames_used(config)
    build_networks(config)
    return config


def check_clips(clips: DataSets, split: str = "train") -> Clips:
    """The clips of a split. Raises UserError if it is empty."""
    reader = open_clips(clips, split)
    if not len(reader):
        raise UserError("no_clips", f"'{places(clips)}' has no clips in its split '{split}'; prepare more videos.")
    return reader


def held_out_validation(clips: DataSets, config: Config) -> tuple[Validate | None, str | None]:
    """Validation on the split `val` of prepared clips, None if it is empty; and a sentence if it is too small."""
    cache_gib = config.training.clip_cache_gib
    held_out, more = (open_clips(clips, split, cache_gib=cache_gib) for split in ("val", "train"))
    count = config.training.validate_clips
    validate = validation(held_out, more, clips=count, resolution=config.data.resolution)
    return validate, validation_warning(held_out, count)


def run_training(
    job: TrainJob,
    until: Budget,
    workers: Workers = ALONE,
    report: Report = lambda location, metrics: None,
    stop: Stop = lambda: False,
    *,
    notify: Callable[[str], None] = lambda message: None,
    show: Callable[[TrainingStatus], None] = lambda status: None,
) -> tuple[TrainingState, bool]:
    """Train in this process, alone or as one of several workers, from the run's last checkpoint if it has one.

    Returns the final state, and False if it was stopped before the budget was spent. `notify` gets sentences about the
    start. Raises UserError as `training.loop.train` does, and if the run can't be resumed.
    """
    beside = partial(workers.submit, validate_checkpoint, job, workers.device.type) if workers.submit else None
    leads = workers.rank == 0
    with tracked(job, workers, notify, notify) as trackers:
        feed, state = start_training(job, workers, notify)
        with StatusWriter(job.run, state.step) if leads else nullcontext() as written:

            def shown(status: TrainingStatus) -> None:
                show(status)
                if written:
                    written(status)

            finished = train(
                state,
                feed.batches(state),
                job.run,
                until=until,
                validate=feed.validate,
                validate_beside=beside,
                show=shown,
                stop=stop,
                workers=workers,
                report=report,
                trackers=trackers,
                tensorboard=job.tracking.tensorboard,
            )
            if written:
                written.end(state.step, finished=finished)
        for tracker in trackers:
            tracker.close(FINISHED if finished else STOPPED)
    return state, finished


def tracked(
    job: TrainJob,
    workers: Workers,
    tell: Callable[[str], None],
    opened: Callable[[str], None] = lambda message: None,
) -> AbstractContextManager[list[Tracker]]:
    """The run's open entries, which the first worker alone has; see `open_trackers`."""
    return open_trackers(job.tracking, job.run, tell, opened) if workers.rank == 0 else nullcontext([])


def validate_checkpoint(job: TrainJob, device: str, checkpoint: str) -> Validation:
    """What the job's own validation says of a checkpoint's model, in any process. `device` is "cpu" or "cuda"."""
    feed = job.clips.open(job.config, job.run, ALONE)
    if feed.validate is None:
        raise ValueError(f"the clips of '{job.run}' have nothing to validate on")
    model, _, _ = load_model(checkpoint)
    return feed.validate(model.to(device))


def start_training(
    job: TrainJob, workers: Workers, notify: Callable[[str], None] = lambda message: None
) -> tuple[Feed, TrainingState]:
    """The feed and the state to train from: the run's last checkpoint, `init_from`'s weights, or the seed's."""
    feed = job.clips.open(job.config, job.run, workers)
    state = new_state(job.config, workers.device, schedule=job.schedule, distributed=workers.world_size > 1)
    state.clips = feed.fingerprint
    source, skipped = resume(state, job.run, skip_damaged=job.skip_damaged)
    workers.check_same_step(state.step)
    for reason in skipped:
        notify(f"Skipped: {reason}")
    if state.unscored and not is_intact(unscored := checkpoint_at(job.run, state.unscored.step)):
        notify(f"'{unscored}' has no score: it is gone, or damaged")
        state.unscored = None
    if source and finished_schedule(state):
        notify(
            "The budget that this run was opened with is spent, so its learning rates stay at a twentieth; "
            "for more, give another --out, and this run to --init-from"
        )
    if source:
        notify(f"Resuming from step {state.step}")
    elif job.init_from:
        load_weights(state, job.init_from)
        notify(f"Starting from the weights of {job.init_from}")
    if state.mean_frame is None and feed.mean_frame is not None and workers.rank == 0:
        state.mean_frame = feed.mean_frame()
    if feed.warning:
        notify(feed.warning)
    return feed, state


def worker_range(workers: str, batch_size: int) -> tuple[int, int]:
    """The least and the most of "2" or "1:4". Raises UserError for anything else, and for workers without a clip."""
    numbers = workers.split(":")
    low, high = (int(numbers[0]), int(numbers[-1])) if re.fullmatch(r"\d+|[1-9]\d*:\d+", workers) else (1, 0)
    if low > high:
        raise UserError("bad_workers", f"--workers is '{workers}', but must be a number or a range such as 2 or 1:4.")
    if high > batch_size:
        raise too_many_workers(workers, batch_size)
    return low, high


def streaming_settings(config: Config) -> ClipSettings:
    """How videos are cut while training: the largest square, centred, at the rates and sizes of the configuration.

    Raises UserError for rates and sizes that don't fit each other.
    """
    clips, resolution = config.clips, config.data.resolution
    if crop_size(clips.stored_size) < resolution:
        rule = f"--data.resolution {resolution} needs at least {stored_size_for(resolution)}"
        raise UserError("clips_too_small", f"--clips.stored-size is {clips.stored_size}, but {rule}.")
    at_rates = clip_settings(
        clip_seconds=4 * parse_frame_rate(clips.frame_rate).denominator,  # whole frames; their number is set below
        frame_rate=clips.frame_rate,
        sample_rate=clips.sample_rate,
        stored_size=clips.stored_size,
        crop=CENTRE,  # finding a square, and following it, would be done again in each epoch
        stabilize=OFF,
    )
    return replace(at_rates, frames=clips.frames)
