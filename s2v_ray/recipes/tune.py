"""What `s2v tune` does: one search a domain, planned once from typed settings."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from s2v_ray.config import Config
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError
from s2v_ray.recipes.train import check_clips, fitted_config
from s2v_ray.storage.lock import lock
from s2v_ray.tuning.journal import fetch_journal, sweep_location
from s2v_ray.tuning.plan import DomainSweep, describe, keep_description, rungs_of, trial_config
from s2v_ray.tuning.space import load_space, with_settings
from s2v_ray.tuning.trials import best_settings

_LEAST_TRIALS = 3  # preset, control, and one to search


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


def plan_sweep(
    config: Config,
    *,
    clips: Sequence[str],
    out: str,
    trials: int,
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
    """The sweep that improves on `config`. Writes nothing; raises UserError by its flag for what can't be done."""
    _check_at_least("trials", trials, _LEAST_TRIALS)
    _check_at_least("repeats", repeats, 0)
    _check_at_least("steps", steps, 1)
    _check_at_least("max-concurrent", max_concurrent, 1)
    _check_at_least("workers-per-trial", workers_per_trial, 1)
    _check_at_least("gpus-per-worker", gpus_per_worker, 0)
    for name, value in (("minutes", minutes), ("time-budget", time_budget)):
        if value is not None and value <= 0:
            raise UserError("out_of_range", f"--{name} is {value:g}, but must be above 0; omit it for the default.")
    if gpus_per_worker and gpus_per_worker % 1 and workers_per_trial > 1:
        raise UserError(
            "out_of_range",
            f"--gpus-per-worker is {gpus_per_worker:g}, but several workers of a trial need whole GPUs each (NCCL); "
            "use --workers-per-trial 1.",
        )
    if len(set(objectives)) < len(objectives):
        raise UserError("repeated_name", f"--objectives has one twice ({' '.join(objectives)}); name each once.")
    searched = load_space(space, config)
    fixed = with_settings(config, searched.fixed)
    location, deadline = sweep_location(out), time.time() + 60 * time_budget if time_budget else float("inf")
    domains: dict[str, DomainSweep] = {}
    for folder in clips:
        domain, fingerprint, resolved = _for_clips(folder, trial_config(fixed, minutes=minutes, steps=steps))
        if domain in domains:
            raise UserError("repeated_name", f"Two of --clips have the domain '{domain}'; prepare one with another.")
        domains[domain] = DomainSweep(
            domain=domain,
            clips=folder,
            fingerprint=fingerprint,
            location=location,
            preset_config=fixed,
            config=resolved,
            space=searched,
            objectives=objectives,
            trials=trials,
            repeats=repeats,
            rungs=rungs_of(resolved),
            warm_starts=tuple(found for sweep in warm_start for found in best_settings(sweep, domain)),
            deadline=deadline,
        )
    return SweepJob(tuple(domains.values()), workers_per_trial, gpus_per_worker, max_concurrent)


@contextmanager
def open_sweep(job: SweepJob) -> Iterator[None]:
    """Hold the sweep's lock, with its journal at hand. Raises UserError if it was started with other settings."""
    location = job.domains[0].location
    with lock(location.out, location.local):
        fetch_journal(location)
        keep_description(location.out, describe(job.domains))
        yield


def _for_clips(clips: str, config: Config) -> tuple[str, str, Config]:
    """The clips' domain and fingerprint, and `config` for them. Raises UserError if it can't be trained on them."""
    info = read_dataset(clips)
    domain = info.domain
    if not domain or "/" in domain or domain.startswith("."):
        raise UserError(
            "wrong_domain", f"'{clips}' has the domain '{domain}', which can't name a folder; prepare it anew."
        )
    for split in ("train", "val"):
        check_clips(clips, split)
    return domain, ClipReader(clips, "train").fingerprint, fitted_config(config, info.settings)


def _check_at_least(name: str, value: float | None, least: int) -> None:
    if value is not None and value < least:
        raise UserError("out_of_range", f"--{name} is {value:g}, but must be at least {least}.")
