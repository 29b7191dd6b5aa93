"""Generating as a Ray Data pipeline: a pool of actors, each with the model loaded once, takes pairs one at a time."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import ray
import torch

from s2v_ray.cluster.connect import connect, grows
from s2v_ray.cluster.monitoring import pair_counter
from s2v_ray.cluster.preparation import error_text
from s2v_ray.cluster.resources import pool_resources
from s2v_ray.cluster.tries import Tries
from s2v_ray.cluster.watchdog import MOST_TRIES, terminate_on_hang, watchdog_seconds
from s2v_ray.errors import UserError
from s2v_ray.generation.video import Generator, load_generator
from s2v_ray.media.decoding.limits import Limits
from s2v_ray.recipes.generate import FAILED, PairResult, PairTask, make_pair

_LIMITS = Limits()


def make_in_parallel(
    tasks: Sequence[PairTask],
    checkpoint: str,
    *,
    device: str = "auto",
    workers: int | None = None,
    cpus_per_worker: float | None = None,
    gpus_per_worker: float | None = None,
    make: Callable[[Generator, PairTask], PairResult] = make_pair,
) -> Iterator[PairResult]:
    """`make` every pair on the cluster; yields its result as it is done. For resources see `pool_resources`.

    A pair that kills its actor's process three times, or hangs once, has failed; the others continue. Raises UserError
    if the checkpoint can't be loaded where an actor runs, and for what is not the fault of a pair, such as a full disk.
    """
    if not tasks:
        return
    connect()
    count, cpus, gpus = pool_resources(
        ray.cluster_resources(),
        workers,
        device,
        cpus_per_worker=cpus_per_worker,
        gpus_per_worker=gpus_per_worker,
        grows=grows(),
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    tries: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries).remote()
    # Each pair is a block of its own, so that a process that dies costs no other.
    rows = ray.data.from_items([{"task": task} for task in tasks], override_num_blocks=len(tasks))
    maker: Any = _PairMaker
    made = rows.map(
        maker,
        fn_constructor_args=(checkpoint, "cuda" if gpus else "cpu", tries, make),
        # From one on, the pool works: it need not wait for what others use now.
        compute=ray.data.ActorPoolStrategy(min_size=1, initial_size=count, max_size=count),
        num_cpus=cpus,
        num_gpus=gpus,
    )
    tried = pair_counter()
    for row in made.iter_rows():
        if row["error"]:
            raise UserError("task_failed", f"'{row['name']}' failed: {row['error']}; the same command resumes.")
        tried(row["result"].reason or row["result"].status)
        yield row["result"]


class _PairMaker:
    """An actor's state: the model, loaded for its first pair."""

    def __init__(
        self, checkpoint: str, device: str, tries: Any, make: Callable[[Generator, PairTask], PairResult]
    ) -> None:
        self.checkpoint, self.device, self.tries, self.make = checkpoint, torch.device(device), tries, make

    @cached_property
    def generator(self) -> Generator:
        return load_generator(self.checkpoint, self.device)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        task: PairTask = row["task"]
        name = task.pair.name
        try:
            result = given_up(name, ray.get(self.tries.start.remote(name)))
            if result is None:
                with terminate_on_hang(_LIMITS):
                    result = self.make(self.generator, task)
            self.tries.finish.remote(name)
            return {"name": name, "result": result, "error": ""}
        except Exception as error:  # Ray Data would count it among the crashes
            return {"name": name, "result": None, "error": error_text(error)}


def given_up(name: str, tried_seconds: list[float]) -> PairResult | None:
    """The result of a pair whose tries so far all ended with their process; None if it is to be tried again."""
    if max(tried_seconds, default=0) >= watchdog_seconds(_LIMITS):
        detail = f"It hung for {watchdog_seconds(_LIMITS):g} s; convert its image and sound with another program."
        return PairResult(name, FAILED, "hung", detail)
    if len(tried_seconds) >= MOST_TRIES:
        ended = f"It ended its process {len(tried_seconds)} times"
        detail = f"{ended}; convert its image and sound with another program."
        return PairResult(name, FAILED, "crashed", detail)
    return None
