"""Training under Ray Train: the same loop as on one machine, one process per worker, gradients averaged by DDP."""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import lru_cache, partial
from pathlib import Path
from threading import Thread
from typing import Any

import ray
import ray.train
import torch.distributed
from ray.data import DataIterator, Dataset
from ray.exceptions import RayTaskError
from ray.train import Checkpoint, CheckpointUploadMode, DataConfig, TrainingFailedError, UserCallback
from ray.train.torch import TorchTrainer, get_device

from s2v_ray.cluster.connect import connect, grows
from s2v_ray.cluster.monitoring import training_watcher
from s2v_ray.cluster.network import RayNetwork
from s2v_ray.cluster.ray_internals import (
    RUN_FILES,
    FailureConfig,
    LoggingConfig,
    RunConfig,
    ScalingConfig,
    name_cluster_to_trainings,
    raised_by,
)
from s2v_ray.cluster.resources import scaling, spare
from s2v_ray.errors import StoreError, UserError
from s2v_ray.logs import library_level
from s2v_ray.storage.files import exists, locate, read_bytes, remove_file, write_bytes
from s2v_ray.storage.paths import Location, base_name, is_uri, join
from s2v_ray.training.interrupt import stop_signals
from s2v_ray.training.loop import Report, Stop
from s2v_ray.training.workers import Workers

CLIPS = "clips"  # the name of what `get_dataset_shard` gives a worker
# What each worker runs; it reports checkpoints, and stops early when asked.
WorkerLoop = Callable[[Workers, Report, Stop], Any]

_SECONDS_BETWEEN_REQUESTS = 2.0  # to an object store, for the stop file
_STOP_FILE = "stop"
_FAILURE_FILE = "failure"  # what a worker raised that no retry would fix: its code and message


def train_on_workers(
    loop: WorkerLoop,
    *,
    workers: tuple[int, int],
    device: str,
    run: Location,
    max_failures: int,
    domain: str | None = None,
    clips: Dataset | None = None,
    scaling_config: ScalingConfig | None = None,
    callbacks: Sequence[UserCallback] = (),
) -> bool:
    """Run `loop` on processes with a process group between them; returns False if a signal stopped it.

    `workers` are the least and the most: as the cluster shrinks or grows, Ray restarts them in another number. `device`
    is "cuda" (a GPU and NCCL for each worker), "cpu" (gloo) or "auto": GPUs if there are enough. If a worker dies, Ray
    restarts all of them, up to `max_failures` times. Each start resumes from the run's last checkpoint. `domain` is of
    what Prometheus learns, which is nothing without. `clips` are decoded during training: each worker has a shard
    called CLIPS. A `scaling_config` replaces what `workers` and `device` would ask of the cluster; `callbacks` receive
    what the loop reports. Where the workers leave a CPU (a GPU, if they train on GPUs) free, `Workers.submit` runs
    functions on it.

    Raises UserError if the cluster lacks what the workers need (Ray would wait for ever), and whatever UserError a
    worker raises.
    """
    connect()
    name_cluster_to_trainings()
    run = str(run)
    filesystem, path = locate(run)
    resources, decoding = ray.cluster_resources(), clips is not None
    own_scaling = scaling_config or scaling(workers, device, resources, decoding=decoding, grows=grows())
    left = None if scaling_config else spare(own_scaling, workers[1], resources, decoding=decoding)
    trainer = TorchTrainer(
        _on_worker,
        train_loop_config={"loop": loop, "run": run, "domain": domain, "spare": left},
        datasets={} if clips is None else {CLIPS: clips},
        dataset_config=WholeShards(),
        torch_config=RayNetwork(),
        scaling_config=own_scaling,
        # Ray's directory for this training is the run's, so that checkpoints are in place when they are reported.
        run_config=RunConfig(  # type: ignore[arg-type]
            name=base_name(run),
            storage_path=str(path).rpartition("/")[0],
            storage_filesystem=filesystem if is_uri(run) else None,
            failure_config=FailureConfig(max_failures=max_failures),
            # What workers raise comes back to us; Ray would print it at each retry.
            logging_config=LoggingConfig(log_level=logging.getLevelName(library_level(logging.CRITICAL))),
            callbacks=list(callbacks),
        ),
    )
    _clean(run)
    try:
        return _fit(trainer, run)
    except TrainingFailedError as error:
        if cause := next((each for each in raised_by(error) if isinstance(each, UserError)), None):
            raise cause from None
        raise
    finally:
        _clean(run)


def _fit(trainer: TorchTrainer, run: str) -> bool:
    """Train to the end, or until a signal comes, which the workers learn of from a file in the run directory."""
    training: Future[Any] = Future()

    def fit() -> None:
        try:
            training.set_result(trainer.fit())
        except BaseException as error:
            training.set_exception(error)

    stop_file, failure_file = join(run, _STOP_FILE), join(run, _FAILURE_FILE)
    with stop_signals() as stop:
        # A daemon, so that a second signal ends the program without waiting for the training to end.
        Thread(target=fit, daemon=True).start()
        while not wait([training], timeout=0.5).done:
            if stop() and not exists(stop_file):
                write_bytes(stop_file, b"")
        training.result()
        if exists(failure_file):
            raise UserError(*read_bytes(failure_file).decode().split("\n", maxsplit=1))
        return not stop()


def _on_worker(config: dict[str, Any]) -> None:
    context = ray.train.get_context()
    run = config["run"]
    if exists(join(run, _FAILURE_FILE)):
        return

    def report(location: str, metrics: dict[str, float]) -> None:
        """Report a checkpoint to Ray, which is in its final location; one in an object store needs no report."""
        ray.train.report(
            {name: float(value) for name, value in metrics.items()},
            checkpoint=Checkpoint(location) if location and not is_uri(location) else None,
            checkpoint_upload_mode=CheckpointUploadMode.NO_UPLOAD,
        )

    # Flags and log lines go by the CPUs, so that they never make a step wait for its GPU.
    group: Any = torch.distributed.new_group(backend="gloo") if context.get_world_size() > 1 else None
    submit = partial(_submit, config["spare"]) if config["spare"] else None
    rank, size, domain = context.get_world_rank(), context.get_world_size(), config["domain"]
    watch = {"watch": training_watcher(base_name(run), domain, rank)} if domain is not None else {}
    workers = Workers(rank, size, get_device(), group, submit, **watch)
    try:
        config["loop"](workers, report, _stop_requested(join(run, _STOP_FILE), workers))
    except StoreError:
        raise  # a store that fails for a while is worth Ray's retries
    except UserError as error:
        with contextlib.suppress(OSError, StoreError):  # a full disk; then Ray retries, in vain
            write_bytes(join(run, _FAILURE_FILE), f"{error.code}\n{error}".encode())
        raise


def _submit(resources: dict[str, float], work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
    """Call a function as a task that has these resources; the future holds its result, or what it raised itself."""
    outcome: Future[Any] = Future()

    def settle(done: "Future[Any]") -> None:
        if error := done.exception():
            outcome.set_exception(error.cause if isinstance(error, RayTaskError) and error.cause else error)
        else:
            outcome.set_result(done.result())

    # Anywhere in the cluster: what the workers have is theirs.
    task: Any = ray.remote(work)
    started = task.options(scheduling_strategy="DEFAULT", **resources).remote(*arguments)
    started.future().add_done_callback(settle)
    return outcome


def _stop_requested(stop_file: str, workers: Workers) -> Stop:
    """Whether a stop was requested. The first worker's answer is enough; it asks an object store every two seconds."""
    if not is_uri(stop_file):
        return Path(stop_file).exists

    @lru_cache(maxsize=1)
    def asked_in(period: int) -> bool:
        with contextlib.suppress(StoreError):  # it asks again
            return exists(stop_file)
        return False

    return lambda: workers.rank == 0 and asked_in(int(time.monotonic() / _SECONDS_BETWEEN_REQUESTS))


class WholeShards(DataConfig):
    """Splits a data set over the workers without dropping any of it: shards may differ in length."""

    def configure(
        self, datasets: dict[str, Dataset], world_size: int, worker_handles: Any, worker_node_ids: Any, **_: Any
    ) -> list[dict[str, DataIterator]]:
        """The shards by name, for each worker."""
        shards = {name: dataset.streaming_split(world_size, equal=False) for name, dataset in datasets.items()}
        return [{name: split[rank] for name, split in shards.items()} for rank in range(world_size)]


def _clean(run: str) -> None:
    for name in (_STOP_FILE, _FAILURE_FILE, *RUN_FILES):
        remove_file(join(run, name))


def reason_of(error: Exception) -> str:
    """Why a training failed, in one line: a worker's own message, or Ray's."""
    if isinstance(error, UserError):
        return str(error)
    cause = next(iter(raised_by(error)), error)
    lines = str(cause).strip().splitlines() or [""]
    return f"{type(cause).__name__}: {lines[-1] if 'Traceback' in lines[0] else lines[0]}"
