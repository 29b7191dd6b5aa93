"""What trainings and trials ask of the cluster."""

from collections.abc import Mapping
from typing import Any

from s2v_ray.cluster.ray_internals import ScalingConfig
from s2v_ray.errors import UserError

_LEAST_CPUS_A_WORKER = 0.1
_CPUS_FOR_WORKERS = 0.97  # of a sweep; the rest is for processes that only supervise
_CPUS_TO_DECODE = 1.0  # at least, beside the workers
_SECONDS_BETWEEN_RESIZES = 60.0  # how often an elastic training looks for more nodes


def scaling(
    workers: tuple[int, int],
    device: str,
    resources: Mapping[str, float],
    *,
    decoding: bool = False,
    grows: bool = False,
) -> ScalingConfig:
    """What to ask of a cluster of these `resources`: a CPU per worker, or an equal share of fewer.

    With `decoding`, a CPU is left to it, even by the most workers. Raises UserError if the cluster can't hold the least
    number of workers. One that `grows` is asked for a CPU (and, with "cuda", a GPU) per worker whatever it has now, and
    says so.
    """
    least, most = workers
    cpus, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    free = cpus - _CPUS_TO_DECODE if decoding else cpus
    lacks_gpus = device == "cuda" and gpus < least
    if grows and (lacks_gpus or cpus < least):
        print(
            f"{least} workers need a {'GPU' if lacks_gpus else 'CPU'} each, but the cluster has {gpus:g} GPUs and "
            f"{cpus:g} CPUs; waiting for its autoscaler to add nodes. `ray status` shows what it can't add.",
            flush=True,
        )
    elif lacks_gpus:
        needed = f"{least} workers with --device cuda need {least} GPUs, but the cluster has {gpus:g}"
        raise UserError("too_few_resources", f"{needed}; use fewer, more nodes, or --device cpu.")
    elif free < _LEAST_CPUS_A_WORKER * least and not grows:
        needed = f"{_LEAST_CPUS_A_WORKER * least:g} CPUs{' and 1 to decode videos' if decoding else ''}"
        raise UserError(
            "too_few_resources",
            f"{least} workers need {needed}, but the cluster has {cpus:g}; use fewer or more nodes.",
        )
    return ScalingConfig(
        num_workers=least if least == most else workers,
        use_gpu=device == "cuda" or (device == "auto" and gpus >= least),
        resources_per_worker={"CPU": 1.0 if grows else min(1.0, free / (most if decoding else least))},
        elastic_resize_monitor_interval_s=_SECONDS_BETWEEN_RESIZES,
    )


def spare(
    scaling: ScalingConfig, most: int, resources: Mapping[str, float], *, decoding: bool = False
) -> dict[str, float] | None:
    """What a task beside `most` workers can have, as arguments of `ray.remote`: a CPU, or a GPU if they train on GPUs.

    None if they, and with `decoding` the CPU that is left to it, leave neither free. Beside those that decode, a task
    asks for no CPU: they hold all that are free until the workers take their clips, and the workers may wait for it.
    """
    each: Any = scaling.resources_per_worker or {}
    cpus = resources.get("CPU", 0.0) - most * each.get("CPU", 1.0) - (_CPUS_TO_DECODE if decoding else 0)
    if scaling.use_gpu:
        free = resources.get("GPU", 0.0) - most * each.get("GPU", 1.0)
        return {"num_gpus": 1, "num_cpus": 0 if decoding else min(1.0, max(0.0, cpus))} if free >= 1 else None
    return {"num_cpus": 0 if decoding else 1} if cpus >= 1 else None


def trial_resources(
    cluster: Mapping[str, float], workers: int, gpus_per_worker: float | None, max_concurrent: int | None
) -> tuple[int, ScalingConfig]:
    """How many trials run at once in a cluster with these resources, and what each asks for.

    A worker has one CPU, or an equal part if there are fewer, and `gpus_per_worker` GPUs: by default one if there are
    enough. Raises UserError if not even one trial fits.
    """
    cpus, gpus = cluster.get("CPU", 0.0), cluster.get("GPU", 0.0)
    gpus_each = float(gpus >= workers) if gpus_per_worker is None else gpus_per_worker
    if gpus < gpus_each * workers:
        raise UserError(
            "too_few_gpus",
            f"A trial of {workers} workers with --gpus-per-worker {gpus_each:g} needs {gpus_each * workers:g} GPUs, "
            f"but the cluster has {gpus:g}; use fewer workers or another --gpus-per-worker.",
        )
    if cpus < _LEAST_CPUS_A_WORKER * workers:
        raise UserError("too_few_cpus", f"A trial of {workers} workers needs more than {cpus:g} CPUs; use fewer.")
    fitting = int(gpus / (gpus_each * workers) + 1e-6) if gpus_each else int(cpus / workers)
    at_once = max(1, min(fitting, max_concurrent or fitting))
    cpus_each = min(1.0, _CPUS_FOR_WORKERS * cpus / (at_once * workers))
    each = {"CPU": cpus_each} | ({"GPU": gpus_each} if gpus_each else {})
    return at_once, ScalingConfig(num_workers=workers, use_gpu=gpus_each > 0, resources_per_worker=each)


def pool_resources(
    cluster: Mapping[str, float],
    workers: int | None,
    device: str,
    *,
    cpus_per_worker: float | None,
    gpus_per_worker: float | None,
    grows: bool = False,
) -> tuple[int, float, float]:
    """How many workers, each with a model of its own, and the CPUs and GPUs that each asks for.

    By default a worker has a CPU, and a GPU if there is one ("auto") or `device` is "cuda"; `workers` are by default as
    many as fit. Raises UserError if not even one, or not that many, fit into a cluster of these resources, unless it
    `grows`.
    """
    cpus, gpus = cluster.get("CPU", 0.0), cluster.get("GPU", 0.0)
    wants_gpu = device == "cuda" or (device == "auto" and gpus >= 1)
    cpus_each = 1.0 if cpus_per_worker is None else cpus_per_worker
    gpus_each = float(wants_gpu) if gpus_per_worker is None else gpus_per_worker
    for flag, value in (("--cpus-per-worker", cpus_each), ("--workers", 1 if workers is None else workers)):
        if value <= 0:
            raise UserError("out_of_range", f"{flag} is {value:g}, but must be above 0.")
    if gpus_each < 0 or (gpus_each > 0) != wants_gpu:
        rule = f"with --device {device} and {gpus:g} GPUs it must be {'above 0' if wants_gpu else '0'}"
        raise UserError("out_of_range", f"--gpus-per-worker is {gpus_each:g}, but {rule}.")
    fitting = int(cpus / cpus_each + 1e-6)
    if gpus_each:
        fitting = min(fitting, int(gpus / gpus_each + 1e-6))
    asked = max(1, fitting) if workers is None else workers
    if asked > fitting and not grows:
        needed = f"{asked} workers need {asked * cpus_each:g} CPUs and {asked * gpus_each:g} GPUs"
        has = f"but the cluster has {cpus:g} and {gpus:g}"
        raise UserError("too_few_resources", f"{needed}, {has}; use fewer --workers, or less for each, or more nodes.")
    return asked, cpus_each, gpus_each
