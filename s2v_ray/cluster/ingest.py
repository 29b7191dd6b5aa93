"""Preparation as a Ray Data pipeline: one task a source, as many at once as there are cores."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import ray

from s2v_ray.clips.prepare import Job, prepare_source
from s2v_ray.clips.settings import ClipSettings
from s2v_ray.clips.sources import Source
from s2v_ray.cluster.start import connect


def prepare_in_parallel(jobs: list[Job]) -> Iterator[str]:
    """Prepare every job on the cluster, yielding the name of each source as it is done.

    A source whose task dies with its process is left out, and the others go on.
    """
    connect()
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    rows = [{"job": _to_row(job)} for job in jobs]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(_prepare_row, num_cpus=1)
    for row in done.iter_rows():
        yield row["source"]


def _prepare_row(row: dict[str, Any]) -> dict[str, Any]:
    # Tasks share the cores: one thread each is enough for the libraries underneath.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return {"source": prepare_source(_from_row(row["job"]))["source"]}


def _to_row(job: Job) -> dict[str, Any]:
    return asdict(job)


def _from_row(row: dict[str, Any]) -> Job:
    return Job(
        source=Source(**row["source"]),
        split=row["split"],
        domain=row["domain"],
        out=row["out"],
        settings=ClipSettings(**row["settings"]),
    )
