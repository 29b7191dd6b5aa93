"""Preparation as a Ray Data pipeline: tasks take blocks of sources, as many at a time as there are cores."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import ray

from s2v_ray.cluster.connect import connect
from s2v_ray.cluster.monitoring import source_counter
from s2v_ray.cluster.tries import Tries
from s2v_ray.cluster.watchdog import MOST_TRIES, terminate_on_hang, watchdog_seconds
from s2v_ray.dataset.index import read_record
from s2v_ray.errors import UserError
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.storage.os_errors import reason

# Up to this many blocks: Ray starts about a thousand tasks a second, and remembers each of them.
_MOST_BLOCKS = 10_000


def run_in_parallel(
    work: Callable[[SourceTask], int], tasks: Sequence[SourceTask], *, most_blocks: int = _MOST_BLOCKS
) -> Iterator[tuple[str, int]]:
    """Do `work` on every task on the cluster; yields the name of each source and the result of `work` as it is done.

    A Ray task takes a block of sources, one of up to `most_blocks`, and reads them itself where `tasks` is a file.
    A source that kills the process of its task three times, or hangs once, is passed to `work` a last time with
    `failure`; if even that fails, it has no result, and the others continue: what its block has done before is not done
    again. Raises UserError if a source can't be read or written for reasons that are not its own, such as a full disk.
    """
    if not tasks:
        return
    connect()
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    blocks, count = min(len(tasks), most_blocks), source_counter(tasks[0].domain)
    tries: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries).remote()

    def work_on_block(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        # Tasks share the cores: one thread each is enough for the libraries underneath.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        done = []
        for task in tasks[len(tasks) * row["id"] // blocks : len(tasks) * (row["id"] + 1) // blocks]:
            name = task.source.name
            try:
                result = ray.get(tries.result.remote(name))
                if result is None:
                    result = _work_or_die(work, task, ray.get(tries.start.remote(name)))
                    ray.get(tries.finish.remote(name, result))
                yield {"source": name, "result": result, "error": "", **_recorded(task)}
            except Exception as error:  # Ray Data would count it among the crashes of decoders
                yield {"source": name, "result": None, "error": error_text(error), "clips": -1, "reasons": ""}
            done.append(name)
        tries.forget.remote(done)

    for row in ray.data.range(blocks, override_num_blocks=blocks).flat_map(work_on_block, num_cpus=1).iter_rows():
        if row["error"]:
            raise UserError("task_failed", f"'{row['source']}' failed: {row['error']}; the same command resumes.")
        if row["clips"] >= 0:
            count(row["clips"], row["reasons"].split())
        if row["result"] is not None:
            yield row["source"], row["result"]


def _recorded(task: SourceTask) -> dict[str, Any]:
    """What became of a source, as far as `work` has recorded that: its clips, and a word for each reject."""
    record = read_record(task.out, task.source.key)
    if record is None:
        return {"clips": -1, "reasons": ""}
    return {"clips": record.clips, "reasons": " ".join(reject.reason for reject in record.rejects)}


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
