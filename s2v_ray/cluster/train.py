"""Training under Ray Train: the same loop as on one machine, a process a worker, gradients averaged by DDP."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.train import (
    Checkpoint,
    CheckpointUploadMode,
    FailureConfig,
    RunConfig,
    ScalingConfig,
    TrainingFailedError,
)
from ray.train.torch import TorchTrainer, get_device

from s2v_ray.cluster.start import connect
from s2v_ray.config import UserError
from s2v_ray.training.interrupt import stop_signals
from s2v_ray.training.loop import Saved, Stop
from s2v_ray.training.workers import Workers

# What each worker runs.
WorkerLoop = Callable[[Workers, Saved, Stop], Any]

_CPUS_A_WORKER = 1.0
_LEAST_CPUS_A_WORKER = 0.1
_STOP_FILE = "stop"
# Ray's own account of a launch. We resume from the run's checkpoints, so that the next launch doesn't need it.
_RAY_FILES = ("checkpoint_manager_snapshot.json", ".validate_storage_marker")


def train_on_workers(loop: WorkerLoop, *, workers: int, run: Path, max_failures: int) -> bool:
    """Run `loop` on `workers` processes with a process group between them; False where a signal stopped it.

    GPUs and NCCL where the cluster has a GPU for each worker, else CPUs and gloo. A worker that dies makes Ray
    start all of them again, up to `max_failures` times; the loop then goes on from the run's last checkpoint.

    Raises UserError where the cluster lacks what the workers need (Ray would wait for ever), and what a worker
    raises as such.
    """
    connect()
    run = run.absolute()
    resources = ray.cluster_resources()
    trainer = TorchTrainer(
        _on_worker,
        train_loop_config={"loop": loop, "run": str(run)},
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=resources.get("GPU", 0) >= workers,
            resources_per_worker={"CPU": _cpus_a_worker(workers, resources.get("CPU", 0))},
        ),
        # Ray's directory for this training is the run's own, so that its checkpoints are in place when reported.
        run_config=RunConfig(
            name=run.name, storage_path=str(run.parent), failure_config=FailureConfig(max_failures=max_failures)
        ),
    )
    _clean(run)
    try:
        return _fit(trainer, run)
    except TrainingFailedError as error:
        for cause in _causes(error):
            if isinstance(cause, UserError):
                raise cause from None
        raise
    finally:
        _clean(run)


def _fit(trainer: TorchTrainer, run: Path) -> bool:
    """Train to the end, or until a signal comes, of which the workers learn by a file in the run directory."""
    with stop_signals() as stop, ThreadPoolExecutor(1) as thread:
        training: Future[Any] = thread.submit(trainer.fit)
        while not wait([training], timeout=0.5).done:
            if stop():
                (run / _STOP_FILE).touch()
        training.result()
        return not stop()


def _on_worker(config: dict[str, Any]) -> None:
    context = ray.train.get_context()
    stop_file = Path(config["run"]) / _STOP_FILE

    def saved(location: str, metrics: dict[str, float]) -> None:
        """Tell Ray of a checkpoint, which is where it belongs already."""
        ray.train.report(
            {name: float(value) for name, value in metrics.items()},
            checkpoint=Checkpoint(location) if location else None,
            checkpoint_upload_mode=CheckpointUploadMode.NO_UPLOAD,
        )

    workers = Workers(context.get_world_rank(), context.get_world_size(), get_device())
    config["loop"](workers, saved, stop_file.exists)


def _cpus_a_worker(workers: int, cpus: float) -> float:
    """One CPU each, or an equal part where the cluster has fewer CPUs than workers."""
    least = _LEAST_CPUS_A_WORKER * workers
    if cpus < least:
        raise UserError(f"{workers} workers need {least:g} CPUs, but the cluster has {cpus:g}; use fewer.")
    return min(_CPUS_A_WORKER, cpus / workers)


def _clean(run: Path) -> None:
    for name in (_STOP_FILE, *_RAY_FILES):
        (run / name).unlink(missing_ok=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What workers raised, however Ray wrapped it."""
    for failure in getattr(error, "worker_failures", {}).values():
        yield getattr(failure, "_base_exc", failure)
