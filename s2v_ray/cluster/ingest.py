"""Preparation as a Ray Data pipeline: one task a source, as many at once as there are cores."""

import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import ray

from s2v_ray.clips.plan import Job
from s2v_ray.cluster.start import connect
from s2v_ray.config import UserError

# For a task whose process dies, as by a crash of a decoder or of its node. Ray Data's default is to try for ever.
_RETRIES = 2


def run_in_parallel(work: Callable[[Job], int], jobs: list[Job]) -> Iterator[tuple[str, int]]:
    """Do `work` on every job on the cluster, yielding the name of each source and what `work` gave as it is done.

    A source whose task dies with its process does not come back, and the others go on. Raises UserError where one
    can't be written or read for reasons that are not its own, such as a full disk.
    """
    if not jobs:
        return
    connect()
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False

    def work_on_row(row: dict[str, Any]) -> dict[str, Any]:
        # Tasks share the cores: one thread each is enough for the libraries underneath.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        try:
            return {"source": row["job"].source.name, "gave": work(row["job"]), "error": ""}
        except Exception as error:  # Ray Data would count it among the crashes of decoders
            return {"source": row["job"].source.name, "gave": 0, "error": f"{type(error).__name__}: {error}"}

    rows = [{"job": job} for job in jobs]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        work_on_row, num_cpus=1, ray_remote_args_fn=lambda: {"max_retries": _RETRIES}
    )
    for row in done.iter_rows():
        if row["error"]:
            raise UserError(f"'{row['source']}' could not be prepared: {row['error']}; the same command goes on.")
        yield row["source"], row["gave"]
