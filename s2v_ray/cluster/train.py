"""Training under Ray Train: the same loop as on one machine, a process a worker, gradients averaged by DDP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from ray.train import Checkpoint, CheckpointUploadMode, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, get_device

from s2v_ray.cluster.start import connect
from s2v_ray.config import UserError
from s2v_ray.training.loop import Workers

# What each worker runs: see `train_on_workers`.
WorkerLoop = Callable[[Workers, torch.device, Callable[[str, dict[str, float]], None]], None]

_CPUS_A_WORKER = 1.0


def train_on_workers(loop: WorkerLoop, *, workers: int, run: Path, max_failures: int) -> None:
    """Run `loop(workers, device, saved)` on `workers` processes with a process group between them.

    GPUs and NCCL where the cluster has a GPU for each worker, else CPUs and gloo. A worker that dies makes Ray
    start all of them again, up to `max_failures` times; the loop then goes on from the run's last checkpoint.

    Raises UserError where the cluster lacks what the workers need: Ray would wait for ever.
    """
    connect()
    use_gpu = ray.cluster_resources().get("GPU", 0) >= workers
    cpus = _cpus_a_worker(workers)
    trainer = TorchTrainer(
        _on_worker,
        train_loop_config={"loop": loop},
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=use_gpu, resources_per_worker={"CPU": cpus}),
        run_config=RunConfig(
            name="ray",
            storage_path=str(run.absolute()),
            failure_config=FailureConfig(max_failures=max_failures),
        ),
    )
    trainer.fit()


def _cpus_a_worker(workers: int) -> float:
    """One CPU each, or an equal part where the cluster has fewer CPUs than workers, down to a tenth."""
    there = ray.cluster_resources().get("CPU", 0)
    if there / workers < 0.1:
        raise UserError(f"{workers} workers need {0.1 * workers:g} CPUs, but the cluster has {there:g}; use fewer.")
    return min(_CPUS_A_WORKER, there / workers)


def _on_worker(config: dict[str, Any]) -> None:
    context = ray.train.get_context()
    workers = Workers(context.get_world_rank(), context.get_world_size())

    def saved(location: str, metrics: dict[str, float]) -> None:
        """Tell Ray of a checkpoint. It is in the run directory already, so nothing is uploaded."""
        ray.train.report(
            {name: float(value) for name, value in metrics.items()},
            checkpoint=Checkpoint(location) if location else None,
            checkpoint_upload_mode=CheckpointUploadMode.NO_UPLOAD,
        )

    config["loop"](workers, get_device(), saved)
