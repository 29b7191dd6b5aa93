"""Preparation as a Ray Data pipeline: one task per source, as many at a time as there are cores."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import ray

from s2v_ray.cluster.connect import connect
from s2v_ray.cluster.tries import Tries
from s2v_ray.cluster.watchdog import MOST_TRIES, terminate_on_hang, watchdog_seconds
from s2v_ray.errors import UserError
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.storage.os_errors import reason


def run_in_parallel(work: Callable[[SourceTask], int], tasks: list[SourceTask]) -> Iterator[tuple[str, int]]:
    """Do `work` on every task on the cluster; yields the name of each source and the result of `work` as it is done.

    All tasks have the same scenes, those of their plan.
    A source that kills the process of its task three times, or hangs once, is passed to `work` a last time with
    `failure`; if even that fails, it has no result, and the others continue. Raises UserError if a source can't be
    read or written for reasons that are not its own, such as a full disk.
    """
    if not tasks:
        return
    connect()
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    # Each task is a block of its own: what all have in common is sent once, with the function.
    scenes = tasks[0].scenes
    tries: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries).remote()

    def work_on_row(row: dict[str, Any]) -> dict[str, Any]:
        # Tasks share the cores: one thread each is enough for the libraries underneath.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        task: SourceTask = replace(row["task"], scenes=scenes)
        name = task.source.name
        try:
            result = _work_or_die(work, task, ray.get(tries.start.remote(name)))
            tries.finish.remote(name)
            return {"source": name, "result": result, "error": ""}
        except Exception as error:  # Ray Data would count it among the crashes of decoders
            return {"source": name, "result": None, "error": error_text(error)}

    items = [{"task": replace(task, scenes=())} for task in tasks]
    rows = ray.data.from_items(items, override_num_blocks=len(items))
    for row in rows.map(work_on_row, num_cpus=1).iter_rows():
        if row["error"]:
            raise UserError("task_failed", f"'{row['source']}' failed: {row['error']}; the same command resumes.")
        if row["result"] is not None:
            yield row["source"], row["result"]


def error_text(error: Exception) -> str:
    """What was raised, as the end of a sentence."""
    return reason(error) if isinstance(error, OSError) and error.errno else f"{type(error).__name__}: {error}"


def _work_or_die(work: Callable[[SourceTask], int], task: SourceTask, tried_seconds: list[float]) -> int | None:
    """The result of `work`; None if there is nothing more to try. If it hangs, this process ends."""
    if len(tried_seconds) > MOST_TRIES:
        return None
    if max(tried_seconds, default=0) >= watchdog_seconds(task.settings.limits):
        task = replace(task, failure="hung")
    elif len(tried_seconds) == MOST_TRIES:
        task = replace(task, failure="crashed")
    with terminate_on_hang(task.settings.limits):
        return work(task)
