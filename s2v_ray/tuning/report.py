"""What a sweep writes: for each domain `best.toml`, `trials.parquet` and figures, and one `report.html`."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from s2v_ray.config import config_to_toml, with_settings
from s2v_ray.storage.files import write_bytes, writing
from s2v_ray.storage.paths import join
from s2v_ray.tuning.figures import write_figures
from s2v_ray.tuning.journal import open_journal
from s2v_ray.tuning.page import sweep_page
from s2v_ray.tuning.plan import DomainSweep
from s2v_ray.tuning.trials import best_trial, load_study, read_floors, read_trials, repeats_of
from s2v_ray.tuning.verdict import Finding, verdict_of


def write_report(sweeps: Sequence[DomainSweep]) -> list[Finding]:
    """Write all that the sweep has found so far for each domain."""
    findings, out = [_find(sweep) for sweep in sweeps], sweeps[0].location.out
    for sweep, finding in zip(sweeps, findings, strict=True):
        folder = join(out, finding.domain)
        if finding.best is not None:
            lines = f"{finding.domain}: {finding.verdict}".splitlines()
            comment = "".join(f"# {line}\n" for line in lines)
            best = config_to_toml(with_settings(sweep.preset_config, finding.best.settings))
            write_bytes(join(folder, "best.toml"), f"{comment}{best}".encode())
        with writing(join(folder, "trials.parquet")) as file:
            pq.write_table(trials_table(finding), file)
    write_bytes(join(out, "report.html"), sweep_page(findings, out).encode())
    return findings


def _find(sweep: DomainSweep) -> Finding:
    storage, domain = open_journal(sweep.location), sweep.domain
    study = load_study(storage, domain)
    floors = read_floors(study)
    trials = read_trials(study, floors)
    repeats = read_trials(load_study(storage, repeats_of(domain)), floors)
    is_gain, verdict = verdict_of(trials, repeats)
    return Finding(
        domain=domain,
        trials=trials,
        repeats=repeats,
        preset=sweep.preset,
        best=best_trial(trials),
        is_gain=is_gain,
        verdict=verdict,
        figures=write_figures(study, trials, sweep.objectives, join(sweep.location.out, domain)) if study else {},
    )


def trials_table(finding: Finding) -> pa.Table:
    """A row a trial, repeats after the search; settings and scores are columns with their names."""
    rows: list[dict[str, Any]] = []
    for study, trials in (("search", finding.trials), ("repeats", finding.repeats)):
        for trial in trials:
            own = {name: getattr(trial, name) for name in ("number", "kind", "state", "score", "seconds", "failure")}
            rows.append({"domain": finding.domain, "study": study, **own, **trial.settings, **trial.metrics})
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})
