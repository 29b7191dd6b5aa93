"""What a run is doing, in words."""

import socket
import time

from s2v_ray.cli.progress import format_duration
from s2v_ray.storage.lock import is_locked
from s2v_ray.tracking.tracker import FAILED, FINISHED
from s2v_ray.training.run_status import RUNNING, RunStatus

_SILENT_SECONDS = 600.0  # a validation may take minutes, in which a training gives no sign


def status_text(run: str, status: RunStatus, *, now: float | None = None) -> str:
    """A few lines: what the run does or how it ended, since when, how fast, and the last losses and score."""
    age = (time.time() if now is None else now) - status.updated
    ago = f"{format_duration(max(0.0, age))} ago"
    at = f"step {status.step:,}, {100 * status.done:.0f} % of its budget"
    speed = f"{status.clips_per_second:.3g} clips/s, {100 * status.waiting_share:.0f} % of the time waiting for clips"
    resume = "the same s2v train command resumes it"
    # The lock tells what happens on this machine; of others, and in an object store, there are only signs.
    locked = is_locked(run)
    known_here = locked is not None and status.host == socket.gethostname()
    if status.state == FINISHED:
        first = f"Finished {ago}: {at}."
    elif status.state == FAILED:
        first = f"Failed {ago}, {at}: {status.failure.rstrip('.')}. When that is mended, {resume}."
    elif status.state != RUNNING:
        first = f"Stopped {ago}: {at}; {resume}."
    elif not locked and (known_here or age > _SILENT_SECONDS):
        first = f"Not running: its last sign is of {ago} ({at}), so it was killed; {resume}."
    elif status.seconds_left is None:
        first = "Running: it starts."
    else:
        first = f"Running: {at}, {format_duration(status.seconds_left)} left; {speed}."
    since = f"Started {format_duration(max(0.0, age + status.updated - status.started))} ago on {status.host}"
    lines = [first, f"{since}; last sign {ago}." if status.state == RUNNING else f"{since}."]
    if status.state == FINISHED:  # its last checkpoint tells
        return "\n".join(lines)
    losses = [
        f"{name.removeprefix('loss/')} {value:.4g}" for name, value in status.values.items() if name.startswith("loss/")
    ]
    if losses:
        lines.append(f"Last losses: {', '.join(losses)}.")
    if (score := status.values.get("validation/score")) is not None:
        lines.append(f"Last validation: score {score:.3f}.")
    return "\n".join(lines)
