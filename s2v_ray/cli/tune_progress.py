"""How far a sweep is, for people: a live table of its trials in a terminal, a line a trial in a log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from s2v_ray.cli.progress import format_duration
from s2v_ray.tuning.journal import open_journal
from s2v_ray.tuning.trials import (
    Trial,
    best_trial,
    load_study,
    read_floors,
    read_trials,
    repeats_of,
)

if TYPE_CHECKING:
    from s2v_ray.cluster.trial import DomainSweep

_ROWS = 12  # trials of a domain, the latest
_SECONDS_BETWEEN_LOOKS = 2.0


class SweepBoard:
    """Call it now and then: it looks into the journal, and shows what is new."""

    def __init__(self, sweeps: Sequence[DomainSweep]) -> None:
        self.sweeps, self.console = sweeps, Console(highlight=False)
        self.storage = open_journal(sweeps[0].place)
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None
        self.told: set[tuple[str, int]] = set()
        self.began, self.looked = time.monotonic(), 0.0
        self.done_before = len(self._finished())
        self.told |= {(name, trial.number) for name, trial in self._finished()}
        if self.done_before:
            print(f"Going on with {self.done_before} finished trials in {sweeps[0].place.out}", flush=True)

    def __enter__(self) -> SweepBoard:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.looked = 0.0
            self()
        if self.live:
            self.live.stop()

    def __call__(self) -> None:
        if time.monotonic() - self.looked < _SECONDS_BETWEEN_LOOKS:
            return
        self.looked = time.monotonic()
        finished = self._finished()
        for name, trial in finished:
            if (name, trial.number) not in self.told:
                self.told.add((name, trial.number))
                if trial.failure or not self.live:
                    self.console.print(self._line(name, trial, len(finished)), soft_wrap=True, markup=False)
        if self.live:
            self.live.update(self._table(), refresh=True)

    def _studies(self) -> list[tuple[str, list[Trial]]]:
        """The trials of each domain's search and repeats."""
        found = []
        for sweep in self.sweeps:
            search = load_study(self.storage, sweep.domain)
            floors = read_floors(search)
            found.append((sweep.domain, read_trials(search, floors)))
            name = repeats_of(sweep.domain)
            found.append((name, read_trials(load_study(self.storage, name), floors)))
        return found

    def _finished(self) -> list[tuple[str, Trial]]:
        return [(name, trial) for name, trials in self._studies() for trial in trials if trial.is_finished]

    def _left(self, done: int) -> str:
        """An estimate from the trials that ended since this start."""
        fresh = done - self.done_before
        if not fresh:
            return "unknown"
        missing = sum(sweep.trials + 2 * sweep.repeats for sweep in self.sweeps) - done
        return format_duration(max(0, missing) * (time.monotonic() - self.began) / fresh)

    def _line(self, name: str, trial: Trial, done: int) -> str:
        best = best_trial(dict(self._studies())[name])
        told = f"{name} trial {trial.number} ({trial.kind}) {trial.state}"
        told += f", score {trial.score:.3f}" if trial.score is not None else ""
        told += f": {trial.failure}" if trial.failure else ""
        told += f"; best {best.score:.3f} (trial {best.number})" if best and best.score is not None else ""
        return f"{told}; {self._left(done)} left"

    def _table(self) -> Table:
        studies = self._studies()
        done = sum(trial.is_finished for _, trials in studies for trial in trials)
        whole = sum(sweep.trials + 2 * sweep.repeats for sweep in self.sweeps)
        table = Table(title=f"{done} of {whole} trials, {self._left(done)} left", title_justify="left")
        settings = list(dict.fromkeys(name for _, trials in studies for trial in trials for name in trial.settings))
        # Of a long name a word a line.
        words = [name.partition(".")[2].replace("_", "\n") for name in settings]
        for heading in ("domain", "trial", "kind", "state", "score", *words):
            table.add_column(heading, no_wrap=True, vertical="bottom")
        for name, trials in studies:
            best = best_trial(trials)
            for trial in [trial for trial in trials if trial.state != "waiting"][-_ROWS:]:
                score = "" if trial.score is None else f"{trial.score:.3f}"
                style = "bold green" if best and trial.number == best.number else ""
                style = "red" if trial.state == "failed" else style
                values = [_short(trial.settings.get(setting, "")) for setting in settings]
                table.add_row(name, str(trial.number), trial.kind, trial.state, score, *values, style=style)
        return table


def _short(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
