"""Preparation as a Ray Data pipeline: one task a source, as many at once as there are cores."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import ray

from s2v_ray.cluster.connect import connect
from s2v_ray.cluster.watchdog import MOST_TRIES, ending_what_hangs, patience_seconds
from s2v_ray.errors import UserError
from s2v_ray.preparation.plan import SourceTask


def run_in_parallel(work: Callable[[SourceTask], int], jobs: list[SourceTask]) -> Iterator[tuple[str, int]]:
    """Do `work` on every job on the cluster, yielding the name of each source and what `work` gave as it is done.

    A source that takes the process of its task down three times, or once by never coming back, is given to `work` a
    last time with `failure`; where even that fails, it does not come back, and the others go on. Raises UserError where
    one can't be written or read for reasons that are not its own, such as a full disk.
    """
    if not jobs:
        return
    connect()
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    tries: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Tries).remote()

    def work_on_row(row: dict[str, Any]) -> dict[str, Any]:
        # Tasks share the cores: one thread each is enough for the libraries underneath.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        job: SourceTask = row["job"]
        try:
            gave = _work_or_die(work, job, ray.get(tries.begin.remote(job.source.name)))
            tries.end.remote(job.source.name)
            return {"source": job.source.name, "gave": gave, "error": ""}
        except Exception as error:  # Ray Data would count it among the crashes of decoders
            return {"source": job.source.name, "gave": None, "error": f"{type(error).__name__}: {error}"}

    rows = [{"job": job} for job in jobs]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(work_on_row, num_cpus=1)
    for row in done.iter_rows():
        if row["error"]:
            raise UserError(f"'{row['source']}' could not be prepared: {row['error']}; the same command goes on.")
        if row["gave"] is not None:
            yield row["source"], row["gave"]


class _Tries:
    """Remembers, as an actor, the tries at each source: a task does not know which of its tries it is."""

    def __init__(self) -> None:
        self._begun: dict[str, list[float]] = {}

    def begin(self, source: str) -> list[float]:
        """Note that a try begins; returns how many seconds each earlier one lasted."""
        begun = self._begun.setdefault(source, [])
        begun.append(time.monotonic())
        return [later - earlier for earlier, later in pairwise(begun)]

    def end(self, source: str) -> None:
        """Forget the tries at a source that came back: it may be done again where a machine is lost."""
        self._begun.pop(source, None)


def _work_or_die(work: Callable[[SourceTask], int], job: SourceTask, tried_seconds: list[float]) -> int | None:
    """What `work` gives; None where nothing more is to be tried. Where it hangs, this process ends."""
    limits = job.settings.limits
    if len(tried_seconds) > MOST_TRIES:
        return None
    if max(tried_seconds, default=0) >= patience_seconds(limits):
        job = replace(job, failure="hung")
    elif len(tried_seconds) == MOST_TRIES:
        job = replace(job, failure="crashed")
    with ending_what_hangs(limits):
        return work(job)
