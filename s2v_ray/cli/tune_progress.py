"""Progress of a sweep: a live table of its trials in a terminal, a line per trial in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from rich.live import Live
from rich.table import Table

from s2v_ray.cli.progress import format_duration
from s2v_ray.cli.terminal import console, is_live
from s2v_ray.tuning.journal import open_journal
from s2v_ray.tuning.plan import DomainSweep
from s2v_ray.tuning.trials import Trial, best_trial, load_study, read_floors, read_trials, repeats_of

_ROWS = 12  # trials of a domain, the latest
_SECONDS_BETWEEN_READS = 2.0


@contextmanager
def sweep_board(sweeps: Sequence[DomainSweep]) -> Iterator[Callable[[], None]]:
    """Yields a function to call now and then: it reads the journal and shows what is new."""
    board = _Board(sweeps)
    with board.live or nullcontext():
        yield board.update
        board.read_at = 0.0
        board.update()


class _Board:
    def __init__(self, sweeps: Sequence[DomainSweep]) -> None:
        self.sweeps, self.console = sweeps, console()
        self.storage = open_journal(sweeps[0].location)
        self.live = Live(console=self.console, auto_refresh=False) if is_live() else None
        self.started_at, self.read_at = time.monotonic(), 0.0
        self.reported = _finished(self._studies())
        self.done_before = len(self.reported)
        if self.done_before:
            print(f"Resuming with {self.done_before} finished trials in {sweeps[0].location.out}", flush=True)

    def update(self) -> None:
        """Read the journal, unless that was done a moment ago, and show what is new."""
        if time.monotonic() - self.read_at < _SECONDS_BETWEEN_READS:
            return
        self.read_at = time.monotonic()
        studies = self._studies()
        finished = _finished(studies)
        total = sum(sweep.trials + 2 * sweep.repeats for sweep in self.sweeps)
        left = self._left(len(finished), total)
        for name, number in sorted(finished - self.reported):
            trial = studies[name][number]
            if trial.failure or not self.live:
                line = f"{_line(name, trial, best_trial(studies[name]))}; {left} left"
                self.console.print(line, soft_wrap=True, markup=False)
        self.reported = finished
        if self.live:
            self.live.update(_table(studies, f"{len(finished)} of {total} trials, {left} left"), refresh=True)

    def _studies(self) -> dict[str, list[Trial]]:
        """The trials of each domain's search and repeats."""
        found = {}
        for sweep in self.sweeps:
            floors = read_floors(load_study(self.storage, sweep.domain))
            for name in (sweep.domain, repeats_of(sweep.domain)):
                found[name] = read_trials(load_study(self.storage, name), floors)
        return found

    def _left(self, done: int, total: int) -> str:
        """An estimate from the trials that finished since this start."""
        fresh = done - self.done_before
        if not fresh:
            return "unknown"
        return format_duration(max(0, total - done) * (time.monotonic() - self.started_at) / fresh)


def _finished(studies: dict[str, list[Trial]]) -> set[tuple[str, int]]:
    return {(name, trial.number) for name, trials in studies.items() for trial in trials if trial.is_finished}


def _line(name: str, trial: Trial, best: Trial | None) -> str:
    line = f"{name} trial {trial.number} ({trial.kind}) {trial.state}"
    line += f", score {trial.score:.3f}" if trial.score is not None else ""
    line += f": {trial.failure}" if trial.failure else ""
    return line + (f"; best {best.score:.3f} (trial {best.number})" if best and best.score is not None else "")


def _table(studies: dict[str, list[Trial]], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    settings = list(dict.fromkeys(name for trials in studies.values() for trial in trials for name in trial.settings))
    # Long names are broken at each word.
    words = [name.partition(".")[2].replace("_", "\n") for name in settings]
    for heading in ("domain", "trial", "kind", "state", "score", *words):
        table.add_column(heading, no_wrap=True, vertical="bottom")
    for name, trials in studies.items():
        best = best_trial(trials)
        for trial in [trial for trial in trials if trial.state != "waiting"][-_ROWS:]:
            score = "" if trial.score is None else f"{trial.score:.3f}"
            style = "red" if trial.state == "failed" else "bold green" if trial is best else ""
            values = [trial.settings.get(setting, "") for setting in settings]
            shown = [f"{value:.2g}" if isinstance(value, float) else str(value) for value in values]
            table.add_row(name, str(trial.number), trial.kind, trial.state, score, *shown, style=style)
    return table
