"""What a sweep leaves behind: for each domain `best.toml`, `trials.parquet` and figures, and `report.html` over all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.config import Config, config_to_toml
from s2v_ray.storage.files import write_bytes, writing
from s2v_ray.storage.paths import join
from s2v_ray.tuning.figures import write_figures
from s2v_ray.tuning.journal import SweepPlace, open_journal
from s2v_ray.tuning.objective import Floors
from s2v_ray.tuning.space import Space, get_setting, with_settings
from s2v_ray.tuning.trials import Trial, load_study, read_floors, read_trials, repeats_of
from s2v_ray.tuning.verdict import Verdict, control_sentence, verdict_of


@dataclass(frozen=True)
class Finding:
    """What the sweep found for one domain. `figures` are the names of files in its folder, by what they show."""

    domain: str
    trials: list[Trial]
    repeats: list[Trial]
    floors: Floors | None
    verdict: Verdict
    preset: dict[str, Any]
    figures: dict[str, str]

    @property
    def best(self) -> Trial | None:
        """The best trial of the search."""
        return self.verdict.best

    @property
    def told(self) -> str:
        """The verdict, and what the control says."""
        return f"{self.verdict.told} {control_sentence(self.trials)}".strip()


def write_report(
    place: SweepPlace, domains: Mapping[str, tuple[Space, Config]], objectives: tuple[str, ...]
) -> list[Finding]:
    """Write all that the sweep found so far; `domains` says what was searched, and from what."""
    from s2v_ray.tuning.page import sweep_page

    findings = [_find(place, domain, space, config, objectives) for domain, (space, config) in domains.items()]
    write_bytes(join(place.out, "report.html"), sweep_page(findings, place.out).encode())
    return findings


def _find(place: SweepPlace, domain: str, space: Space, config: Config, objectives: tuple[str, ...]) -> Finding:
    storage = open_journal(place)
    study = load_study(storage, domain)
    floors = read_floors(study)
    trials = read_trials(study, floors)
    repeats = read_trials(load_study(storage, repeats_of(domain)), floors)
    folder = join(place.out, domain)
    figures = write_figures(study, trials, objectives, folder) if study else {}
    preset = {name: get_setting(config, name) for name in space.searched}
    finding = Finding(domain, trials, repeats, floors, verdict_of(trials, repeats), preset, figures)
    if finding.best is not None:
        best = with_settings(config, finding.best.settings)
        told = "\n".join(f"# {line}" for line in f"{domain}: {finding.told}".splitlines())
        write_bytes(join(folder, "best.toml"), f"{told}\n{config_to_toml(best)}".encode())
    with writing(join(folder, "trials.parquet")) as file:
        pq.write_table(trials_table(finding), file)
    return finding


def trials_table(finding: Finding) -> pa.Table:
    """A row a trial, the repeats after the search; settings and scores are columns with their names."""
    rows: list[dict[str, Any]] = []
    for study, trials in (("search", finding.trials), ("repeats", finding.repeats)):
        for trial in trials:
            told = {name: getattr(trial, name) for name in ("number", "kind", "state", "score", "seconds", "failure")}
            rows.append({"domain": finding.domain, "study": study, **told, **trial.settings, **trial.metrics})
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})
