"""Progress, for people: a bar in a terminal, a line now and then in a log."""

import time
from contextlib import ExitStack

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from s2v_ray.cli.terminal import console, is_live
from s2v_ray.training.schedule import TrainingStatus

# In a log, a line for each tenth of the work, or after 30 seconds; of what takes less than five, none.
_SECONDS_BETWEEN_LINES = (5.0, 30.0)
_PART_BETWEEN_LINES = 0.1
# The rest is in TensorBoard.
_SHOWN = (
    "loss/thumbnails",
    "loss/reconstruction",
    "loss/image_discriminator",
    "loss/video_discriminator",
    "validation/score",
)


class ProgressBar(ExitStack):
    """Call it with the part done, 0..1, and a text: a bar in a terminal, otherwise a line now and then."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label
        self.console, self.is_live = console(), is_live()
        self.line_at, self.line_done = time.monotonic(), 0.0
        self.bar = self.enter_context(
            Progress(
                TextColumn("{task.fields[label]}", table_column=Column(no_wrap=True)),
                BarColumn(bar_width=None, table_column=Column(min_width=10, max_width=30, ratio=1)),
                TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
                TextColumn("{task.description}", table_column=Column(ratio=4, no_wrap=True, overflow="ellipsis")),
                console=self.console,
                disable=not self.is_live,
                expand=True,
            )
        )
        self.task = self.bar.add_task("", total=1.0, label=label)

    def __call__(self, done: float, text: str) -> None:
        if self.is_live:
            self.bar.update(self.task, completed=done, description=text)
        elif is_line_due(time.monotonic() - self.line_at, done - self.line_done):
            self.line_at, self.line_done = time.monotonic(), done
            self.console.print(f"{self.label} {100 * done:3.0f} %  {text}", soft_wrap=True, markup=False)


def is_line_due(seconds: float, part: float) -> bool:
    """Whether a log gets a line, so many seconds and such a part of the work, 0..1, after the one before."""
    least, most = _SECONDS_BETWEEN_LINES
    return seconds >= most or (seconds >= least and part >= _PART_BETWEEN_LINES)


def format_duration(seconds: float) -> str:
    """Seconds as 1:05, or as 2:00:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def status_line(status: TrainingStatus) -> str:
    """What matters of a training's status, in one line."""
    values = "  ".join(f"{name.split('/')[1]} {value:.4g}" for name, value in status.values.items() if name in _SHOWN)
    speed = f"{status.clips_per_second:.3g} clips/s  waiting {100 * status.waiting_share:.0f} %"
    return f"{format_duration(status.seconds_left)} left  step {status.step}  {speed}  {values}"
