"""An entry in Weights & Biases."""

import os
import re
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from s2v_ray.storage.files import list_files, list_folders, upload
from s2v_ray.storage.paths import Location, is_uri, join
from s2v_ray.tracking.entries import Entry
from s2v_ray.tracking.tracker import FAILED, STEP, VALIDATION_STEP, WANDB, Line, Tracker, once

FOLDER = "wandb"  # of what the library keeps, or in offline mode writes, in a run's folder
_AXIS = "step"
_SECONDS_TO_START, _SECONDS_TO_FINISH = 45.0, 50.0


def check_login() -> None:
    """Ask for an API key in a terminal, if there is none. Raises what the library raises where nobody can answer."""
    import wandb

    if wandb.setup().settings.mode not in ("offline", "dryrun", "disabled"):
        wandb.login()


def new_entry(project: str) -> Entry:
    """An entry that is made when it is first opened."""
    return Entry(WANDB, uuid.uuid4().hex[:8], project)


def open_wandb(
    run: Location, entry: Entry, *, name: str, group: str, kind: str, settings: Mapping[str, Any]
) -> Tracker:
    """Continue the entry, or make it, with these settings. Raises what the library raises.

    Its local files go to WANDB_DIR, or to `run`; those of a run in an object store to a temporary folder. Offline, what
    that holds is uploaded when it is closed.
    """
    # No reports of errors to the library's makers.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    own = os.environ.get("WANDB_DIR")
    temporary = tempfile.TemporaryDirectory(prefix="s2v_") if is_uri(run) and not own else None
    directory = own or (temporary.name if temporary else str(run))
    # What they hold can't be asked for; `wandb sync` joins them.
    earlier = [name for name in list_folders(join(run, FOLDER)) if re.fullmatch(f"offline-run-.*-{entry.id}", name)]
    opened: Any = wandb.init(
        project=entry.project,
        id=entry.id,
        resume="allow",
        name=name or None,
        group=group or None,
        job_type=kind or None,
        dir=directory,
        reinit="create_new",
        settings=wandb.Settings(
            console="off",
            silent=True,
            symlink=False,
            init_timeout=_SECONDS_TO_START,
            finish_timeout=_SECONDS_TO_FINISH,
            finish_timeout_raises=True,
        ),
    )
    opened.config.update(dict(settings), allow_val_change=True)
    # Scores arrive late, with the steps of earlier checkpoints; the library's own steps can't go back.
    opened.define_metric(_AXIS)
    opened.define_metric("*", step_metric=_AXIS)
    reached = {axis: float(opened.summary.get(axis) or -1.0) for axis in (STEP, VALIDATION_STEP)}
    scalars = once(reached, lambda step, values: opened.log({**values, _AXIS: step}))

    def history(lines: Iterable[Line]) -> None:
        for step, values in () if opened.offline and earlier else lines:
            scalars(step, values)

    def sample(step: int, video: Path, strip: Path) -> None:
        opened.log({_AXIS: step, "sample": wandb.Video(str(video), format="mp4"), "strip": wandb.Image(str(strip))})

    def scores(step: int, values: Mapping[str, float]) -> None:
        opened.log({_AXIS: step, **values})

    def files(kind: str, files: Mapping[str, Path]) -> None:
        artifact = wandb.Artifact(f"{kind.partition('/')[0]}-{entry.id}", type=kind.partition("/")[0])
        for file, path in files.items():
            artifact.add_file(str(path), name=file)
        opened.log_artifact(artifact)

    def close(outcome: str) -> None:
        opened.finish(exit_code=int(outcome == FAILED))
        if temporary and opened.offline:
            for file in list_files(directory, recursive=True):
                upload(Path(directory, file), join(run, file))
        if temporary:
            temporary.cleanup()

    synced = "wandb/offline-run-*" if temporary else opened.settings.sync_dir
    where = f"offline; send it with `wandb sync {synced}`" if opened.offline else str(opened.url)
    return Tracker(where, history, scalars, sample, scores, files, flush=lambda: None, close=close)
