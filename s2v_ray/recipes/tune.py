"""What `s2v tune` does: one search per domain, planned once from typed settings; trials report as they train."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch

from s2v_ray.config import Config, with_settings
from s2v_ray.dataset.collection import open_clips
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.typed import typed
from s2v_ray.errors import UserError
from s2v_ray.recipes.step_cost import measure_step
from s2v_ray.recipes.train import (
    PreparedClips,
    TrainJob,
    check_clips,
    fitted_config,
    held_out_validation,
    job_on,
    prepared_settings,
    start_training,
    tracked,
    tracked_settings,
)
from s2v_ray.storage.files import exists, read_bytes, write_bytes
from s2v_ray.storage.lock import lock
from s2v_ray.storage.paths import base_name, join, parent
from s2v_ray.tracking.track import Tracking, start_tracking, track_files
from s2v_ray.tracking.tracker import FINISHED, STOPPED, Tracker
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.loop import Report, Stop, train
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.state import new_state
from s2v_ray.training.threads import at_most_threads
from s2v_ray.training.workers import Workers
from s2v_ray.tuning.budget import DEFAULT_TRIALS, Choice, TrialCost, choose_trials, report_seconds
from s2v_ray.tuning.journal import fetch_journal, sweep_location
from s2v_ray.tuning.plan import LEAST_TRIALS, DomainSweep, describe, keep_description, rungs_of, trial_config
from s2v_ray.tuning.search import MEASURED, PERCENT
from s2v_ray.tuning.space import load_space
from s2v_ray.tuning.trials import best_settings

_BUDGET = "budget.json"
UNFINISHED = "unfinished"  # what a trial reports instead of measurements if its time is up


@dataclass(frozen=True)
class SweepJob:
    """A search for each of `domains`, in one journal.

    Each trial has `workers` processes with `gpus_per_worker` GPUs (None: one if there are enough); at most
    `max_concurrent` trials run at once (None: as many as the cluster holds).
    """

    domains: tuple[DomainSweep, ...]
    workers: int
    gpus_per_worker: float | None
    max_concurrent: int | None
    choice: Choice | None = None  # what was chosen to fit a time budget


def plan_sweep(
    config: Config,
    *,
    clips: Sequence[str],
    out: str,
    trials: int | None,
    repeats: int,
    objectives: tuple[str, ...] = ("score",),
    space: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    time_budget: float | None = None,
    max_concurrent: int | None = None,
    workers_per_trial: int = 1,
    gpus_per_worker: float | None = None,
    warm_start: Sequence[str] = (),
) -> SweepJob:
    """The sweep that improves on `config`. Writes nothing; raises UserError by its flag for what can't be done.

    `time_budget` counts from now, in minutes. Without `trials` they are 20, which `fit_to_budget` changes.
    """
    for name, value, least in (
        ("trials", trials, LEAST_TRIALS),
        ("repeats", repeats, 0),
        ("steps", steps, 1),
        ("max-concurrent", max_concurrent, 1),
        ("workers-per-trial", workers_per_trial, 1),
        ("gpus-per-worker", gpus_per_worker, 0),
    ):
        if value is not None and value < least:
            raise UserError("out_of_range", f"--{name} is {value:g}, but must be at least {least}.")
    for name, value in (("minutes", minutes), ("time-budget", time_budget)):
        if value is not None and value <= 0:
            raise UserError("out_of_range", f"--{name} is {value:g}, but must be above 0; omit it for the default.")
    if gpus_per_worker and gpus_per_worker % 1 and workers_per_trial > 1:
        rule = "several workers need whole GPUs; use --workers-per-trial 1"
        raise UserError("out_of_range", f"--gpus-per-worker is {gpus_per_worker:g}, but {rule}.")
    if len(set(objectives)) < len(objectives):
        raise UserError("repeated_name", f"--objectives has one twice ({' '.join(objectives)}); name each once.")
    searched = load_space(space, config)
    fixed = with_settings(config, searched.fixed)
    budget_seconds = 60 * time_budget if time_budget else float("inf")
    location = sweep_location(out)
    domains: dict[str, DomainSweep] = {}
    weights = fixed.training.clip_weights
    if weights and len(weights) != len(clips):
        rule = f"but --clips names {len(clips)} data sets; give one for each"
        raise UserError("wrong_weights", f"--clip-weights has {len(weights)} weights, {rule}.")
    by_domain = _by_domain(clips)
    deadline = time.time() + budget_seconds - report_seconds(len(by_domain))
    for domain, numbers in by_domain.items():
        own_weights = tuple(weights[number] for number in numbers) if weights else ()
        folders = tuple(clips[number] for number in numbers)
        own = replace(fixed, training=replace(fixed.training, clip_weights=own_weights))
        fingerprint, resolved = _for_clips(folders, trial_config(own, minutes=minutes, steps=steps))
        domains[domain] = DomainSweep(
            domain=domain,
            clips=folders,
            fingerprint=fingerprint,
            location=location,
            preset_config=own,
            config=resolved,
            space=searched,
            objectives=objectives,
            trials=trials or DEFAULT_TRIALS,
            repeats=repeats,
            rungs=rungs_of(resolved),
            warm_starts=tuple(found for sweep in warm_start for found in best_settings(sweep, domain)),
            deadline=deadline,
            trial_seconds=60 * resolved.training.minutes,
        )
    return SweepJob(tuple(domains.values()), workers_per_trial, gpus_per_worker, max_concurrent)


def measure_trial(sweep: DomainSweep) -> TrialCost:
    """What a trial's steps and validations cost in this process. Writes nothing."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    job = job_on(PreparedClips(sweep.clips), sweep.config, join(sweep.location.out, sweep.domain, "measured"))
    with at_most_threads(sweep.config.training.threads):
        batches = training_batches(open_clips(sweep.clips, "train"), sweep.config, device)
        steps = measure_step(job, batches, device)
        validate, _ = held_out_validation(sweep.clips, sweep.config)
        state = new_state(sweep.config, device, schedule=job.schedule)
        start = time.monotonic()
        if validate:
            validate(state.networks.generator.eval())
    enabled = sweep.config.loss.discriminator_start
    return TrialCost(
        step_seconds=enabled * steps.seconds_without + (1 - enabled) * steps.seconds_with,
        validation_seconds=time.monotonic() - start,
    )


def fit_to_budget(
    job: SweepJob,
    budget_seconds: float,
    measure: Callable[[SweepJob], tuple[int, Sequence[TrialCost]]],
    *,
    steps: int | None,
    minutes: float | None,
) -> SweepJob:
    """The same sweep with as many trials, as long ones, as a budget allows: those chosen when it was first started.

    `measure` says how many trials run at once, and what each domain's cost. Raises UserError if hardly any fit.
    """
    sweep = job.domains[0]
    path = join(sweep.location.out, _BUDGET)
    if exists(path):
        choice = _read_choice(path)
    else:
        start = time.monotonic()
        at_once, costs = measure(job)
        slowest = max(costs, key=lambda cost: cost.step_seconds)
        seconds = 60 * minutes if minutes else None
        ways = {"at_once": at_once, "domains": len(job.domains), "repeats": sweep.repeats}
        spent = time.monotonic() - start
        choice = choose_trials(budget_seconds, slowest, **ways, spent_seconds=spent, seconds=seconds, steps=steps)

    def fitted(sweep: DomainSweep) -> DomainSweep:
        length = {} if choice.seconds is None else {"training.minutes": choice.seconds / 60}
        config = with_settings(sweep.config, length)
        return replace(
            sweep,
            config=config,
            rungs=rungs_of(config),
            trials=choice.trials,
            repeats=choice.repeats,
            trial_seconds=choice.trial_seconds,
        )

    return replace(job, domains=tuple(map(fitted, job.domains)), choice=choice)


def _read_choice(path: str) -> Choice:
    try:
        choice: Choice = typed(json.loads(read_bytes(path)), Choice)
        return choice
    except (ValueError, KeyError, TypeError) as error:
        detail = f"'{path}' doesn't say what was chosen for the sweep ({error!r})"
        raise UserError("damaged_sweep", f"{detail}; remove it to choose anew, or give --trials.") from None


@contextmanager
def open_sweep(job: SweepJob) -> Iterator[None]:
    """Hold the sweep's lock, with its journal at hand. Raises UserError if it was started with other settings."""
    location = job.domains[0].location
    with lock(location.out, location.local):
        fetch_journal(location)
        keep_description(location.out, describe(job.domains))
        if job.choice:
            write_bytes(join(location.out, _BUDGET), json.dumps(asdict(job.choice), indent=2).encode())
        yield


def _by_domain(clips: Sequence[str]) -> dict[str, list[int]]:
    """Which of the data sets are of each domain, by their numbers. Raises UserError for one that names no folder."""
    domains: dict[str, list[int]] = {}
    for number, location in enumerate(clips):
        domain = read_dataset(location).domain
        if not domain or "/" in domain or domain.startswith("."):
            rule = "can't name a folder; use another"
            raise UserError("wrong_domain", f"'{domain}', the domain of '{location}', {rule}.")
        domains.setdefault(domain, []).append(number)
    return domains


def _for_clips(clips: tuple[str, ...], config: Config) -> tuple[str, Config]:
    """The clips' fingerprint, and `config` for them. Raises UserError if it can't be trained on them."""
    settings = prepared_settings(clips, config.training.clip_weights)
    check_clips(clips, "val")
    return check_clips(clips).fingerprint, fitted_config(config, settings)


def tracked_sweep(job: SweepJob, names: Sequence[str]) -> SweepJob:
    """The same sweep with an entry of its own in trackers, which its trials share as their group, or parent.

    Raises UserError as `start_tracking`.
    """
    first, out = job.domains[0], job.domains[0].location.out
    name = base_name(out)
    clips = [location for sweep in job.domains for location in sweep.clips]
    settings = tracked_settings(first.preset_config, out, clips)
    settings |= {"trials": first.trials, "repeats": first.repeats, "objectives": " ".join(first.objectives)}
    found = start_tracking(out, names, name=name, settings=settings, kind="sweep")
    tracking = replace(found, group=name)
    return replace(job, domains=tuple(replace(sweep, tracking=tracking) for sweep in job.domains))


def trial_tracking(sweep: DomainSweep, config: Config, run: str, kind: str) -> Tracking:
    """Where a trial is tracked: where its sweep is, or, if that can't be reached, in its folder alone."""
    if sweep.tracking is None:
        return Tracking()
    name = f"{sweep.domain}/{base_name(parent(run))}/{base_name(run)}"
    settings = tracked_settings(config, run, sweep.clips)
    try:
        return start_tracking(run, sweep.tracking.names, name=name, settings=settings, within=sweep.tracking, kind=kind)
    except UserError as error:
        print(f"{name}: {error}", flush=True)
        return Tracking(tensorboard=sweep.tracking.tensorboard)


def track_sweep_report(job: SweepJob, tell: Callable[[str], None]) -> None:
    """Add what the sweep has found to its entry."""
    tracking, out = job.domains[0].tracking, job.domains[0].location.out
    if tracking and tracking.entries:
        bests = [f"{sweep.domain}/best.toml" for sweep in job.domains]
        names = ["report.html", *(name for name in bests if exists(join(out, *name.split("/"))))]
        track_files(tracking, out, "sweep", out, names, tell, outcome=FINISHED)


def train_to_rungs(
    job: TrainJob, rungs: Sequence[float], deadline: float, workers: Workers, report: Report, stop: Stop
) -> None:
    """Train to each part of the configuration's budget in turn, validate there, and report what was measured.

    If it is stopped, or at `deadline` (in seconds since 1970), it saves a checkpoint and reports UNFINISHED.

    The schedule is the whole budget's, whichever part is trained: trials that are compared, stopped early or repeated
    are trained alike. Resumes from the last intact checkpoint.
    """
    budget = config_budget(job.config)

    def stopped() -> bool:
        return stop() or time.time() > deadline

    leads = workers.rank == 0
    with tracked(job, workers, partial(print, flush=True)) as trackers:
        feed, state = start_training(job, workers)
        train_on = partial(
            train,
            state,
            feed.batches(state),
            job.run,
            validate=feed.validate,
            stop=stopped,
            workers=workers,
            trackers=trackers,
            tensorboard=job.tracking.tensorboard,
        )
        for rung in rungs:
            until = budget.part(rung)
            if not train_on(until=until):
                _close(trackers, STOPPED)
                report("", {UNFINISHED: 1.0} if leads else {})
                return
            # Validating is no training: a trial that reports more often would train less.
            state.seconds = min(state.seconds, until.seconds)
            workers.check_same_step(state.step)  # all wait for the first, which validates
            progress = {PERCENT: 100 * rung, "seconds": state.seconds, "steps": float(state.step)}
            measured = {f"{MEASURED}{name}": value for name, value in state.metrics.items() if name != "score"}
            if rung == rungs[-1]:
                _close(trackers, FINISHED)
            report("", measured | progress if leads else {})


def _close(trackers: Sequence[Tracker], outcome: str) -> None:
    """Before what a trial reports last, which may end its process."""
    for tracker in trackers:
        tracker.close(outcome)
