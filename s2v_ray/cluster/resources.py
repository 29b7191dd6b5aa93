"""How many trials of a sweep run at once, and the resources of each."""

from collections.abc import Mapping

from s2v_ray.cluster.ray_internals import ScalingConfig
from s2v_ray.errors import UserError

_CPUS_FOR_WORKERS = 0.97  # the rest is for processes that only supervise
_LEAST_CPUS_A_WORKER = 0.1


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
            f"but the cluster has {gpus:g}; use fewer workers, a fraction of a GPU, or --gpus-per-worker 0.",
        )
    if cpus < _LEAST_CPUS_A_WORKER * workers:
        raise UserError(
            "too_few_cpus", f"A trial of {workers} workers does not fit into a cluster of {cpus:g} CPUs; use fewer."
        )
    fitting = int(gpus / (gpus_each * workers) + 1e-6) if gpus_each else int(cpus / workers)
    at_once = max(1, min(fitting, max_concurrent or fitting))
    cpus_each = min(1.0, _CPUS_FOR_WORKERS * cpus / (at_once * workers))
    each = {"CPU": cpus_each} | ({"GPU": gpus_each} if gpus_each else {})
    return at_once, ScalingConfig(num_workers=workers, use_gpu=gpus_each > 0, resources_per_worker=each)
