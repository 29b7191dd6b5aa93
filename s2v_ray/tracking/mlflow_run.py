"""An entry in MLflow, by its client: nothing here depends on which run is active in this process."""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from s2v_ray.tracking.entries import Entry
from s2v_ray.tracking.tracker import (
    FAILED,
    FINISHED,
    MLFLOW,
    STEP,
    STOPPED,
    UNCHANGED,
    VALIDATION_STEP,
    Line,
    Tracker,
    once,
    without_credentials,
)

_STATUS = {FINISHED: "FINISHED", STOPPED: "KILLED", FAILED: "FAILED"}
_VALUES_AT_ONCE = 1000  # MLflow's limit for metrics in a request; of parameters it is 100
_PARAMETERS_AT_ONCE = 100
_LONGEST_PARAMETER = 6000


def tracking_uri() -> str:
    """Where MLflow would write, in words that mean the same in every process on this machine."""
    import mlflow

    uri: str = mlflow.get_tracking_uri()
    relative = uri.removeprefix("sqlite:///")
    if relative != uri and not relative.startswith("/"):
        return f"sqlite:///{Path(relative).absolute()}"
    return uri


def new_entry(
    uri: str, project: str, name: str, settings: Mapping[str, Any], tags: Mapping[str, str], parent: str = ""
) -> Entry:
    """Make a run in the experiment `project`, which is made unless it exists; inside the run `parent`, if it's given.

    Raises what MLflow raises.
    """
    from mlflow.entities import Param

    client = _client(uri)
    found = client.get_experiment_by_name(project)
    experiment = found.experiment_id if found else client.create_experiment(project, _files_beside(uri))
    nesting = {"mlflow.parentRunId": parent} if parent else {}
    run = client.create_run(experiment, run_name=name, tags={**tags, **nesting}).info.run_id
    values = [Param(key, str(value)[:_LONGEST_PARAMETER]) for key, value in _flat(settings)]
    for first in range(0, len(values), _PARAMETERS_AT_ONCE):
        client.log_batch(run, params=values[first : first + _PARAMETERS_AT_ONCE])
    return Entry(MLFLOW, run, project)


def check_entry(uri: str, entry: Entry) -> None:
    """Raises what MLflow raises unless the entry is there."""
    _client(uri).get_run(entry.id)


def open_mlflow(uri: str, entry: Entry, *, training: bool) -> Tracker:
    """Continue the entry; in a training, it is marked as running. Raises what MLflow raises."""
    from mlflow.entities import Metric
    from PIL import Image

    client, run = _client(uri), entry.id
    if training:
        client.update_run(run, status="RUNNING")
    metrics = client.get_run(run).data.metrics

    def log(lines: Iterable[Line]) -> None:
        now = round(1000 * time.time())
        values = [Metric(name, float(value), now, step) for step, line in lines for name, value in line.items()]
        for first in range(0, len(values), _VALUES_AT_ONCE):
            client.log_batch(run, metrics=values[first : first + _VALUES_AT_ONCE])

    def sample(step: int, video: Path, strip: Path) -> None:
        client.log_artifact(run, str(video), "samples")
        with Image.open(strip) as image:
            client.log_image(run, image, key="samples", step=step, synchronous=True)

    def scores(step: int, values: Mapping[str, float]) -> None:
        log([(step, values)])

    def files(kind: str, files: Mapping[str, Path]) -> None:
        for name, path in files.items():
            client.log_artifact(run, str(path), str(Path(kind, name).parent))

    def close(outcome: str) -> None:
        if outcome != UNCHANGED:
            client.set_terminated(run, status=_STATUS[outcome])

    # The latest value of a metric is that of its highest step.
    reached = {axis: metrics[axis] for axis in (STEP, VALIDATION_STEP) if axis in metrics}
    pending: list[Line] = []
    collect = once(reached, lambda step, values: pending.append((step, values)))

    def scalars(step: int, values: Mapping[str, float]) -> None:
        history([(step, values)])

    def history(lines: Iterable[Line]) -> None:
        for step, values in lines:
            collect(step, values)
        log(pending)
        pending.clear()

    return Tracker(_address(uri, entry), history, scalars, sample, scores, files, flush=lambda: None, close=close)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _files_beside(uri: str) -> str | None:
    """Where the files of an experiment's runs go: beside a local database (MLflow itself takes the current folder)."""
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).parent / "mlruns").as_uri()


def _address(uri: str, entry: Entry) -> str:
    return without_credentials(f"run {entry.id} of experiment '{entry.project}' at {uri}")


def _client(uri: str) -> Any:
    # What a user tracks goes to their server, and nothing about it to MLflow's makers.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)
