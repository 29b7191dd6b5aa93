"""`s2v probe`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table

from s2v_ray.cli.flags import Location
from s2v_ray.cli.next_command import command
from s2v_ray.cli.progress import ProgressBar
from s2v_ray.cli.result import Result
from s2v_ray.cli.terminal import console
from s2v_ray.dataset.collection import find_data_sets
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError
from s2v_ray.storage.own_folders import PROBE, check_output_folder
from s2v_ray.storage.paths import base_name, join

if TYPE_CHECKING:
    from s2v_ray.evaluation.probe.report import ProbeReport
    from s2v_ray.metrics.bootstrap import Interval


def probe(
    *,
    clips: tuple[Location, ...],
    out: Location = "",
    split: tuple[str, ...] = SPLITS,
    minutes: float = 1.0,
    seed: int = 0,
) -> Result:
    """Tell in about a minute whether prepared clips can be learnt, and what would help, before training.

    Args:
        clips: what s2v prepare wrote; several folders, globs or URIs are probed together.
        out: the folder for probe.json and probe.png; by default `probe` in that of the clips, if it is one.
        split: probe the clips of these splits; parts of them are held out in turn.
        minutes: about how long it may take on one core. It trains so many steps and reads so many clips that the same
            minutes give the same result on any machine.
        seed: seed for what is held out, for the networks and for the bootstrap.
    """
    from s2v_ray.evaluation.probe.advice import is_learnable
    from s2v_ray.recipes.probe import probe as run

    clips = find_data_sets(clips)
    if not out and len(clips) > 1:
        raise UserError("missing_flag", "--out is needed with several --clips; name a folder for what is found.")
    out = out or join(clips[0], "probe")
    check_output_folder(out, "--out", PROBE)
    with ProgressBar("probing") as bar:
        report, sentences = run(clips, out, splits=split, minutes=minutes, seed=seed, show=bar)
    console(plain_width=120).print(_table(report))
    if report.clips_probed < report.clips_found:
        enough = math.ceil(10 * minutes * report.clips_found / report.clips_probed) / 10
        print(f"Probed {report.clips_probed} of {report.clips_found} clips; --minutes {enough:g} probes all.")
    if len(clips) > 1:
        print("Clips by data set:", ", ".join(f"{name}: {count}" for name, count in report.clips_by_data_set.items()))
    print(*sentences, sep="\n")
    print(f"See {out}/probe.png; probe.json beside it has all figures, source by source.")
    learnable = is_learnable(report)
    following = [command("train", clips=clips, out=f"runs/{base_name(clips[0])}")] if learnable else []
    if following:
        print(f"Next: {following[0]}")
    else:
        print("Next: s2v prepare, with what is said above changed, and another --out; then probe again.")
    return {
        "outputs": {"figure": join(out, "probe.png"), "figures": join(out, "probe.json")},
        "next": following,
        "learnable": learnable,
        "explained": report.explained,
        "shifted": report.shifted,
        "matched_minus_shifted": report.matched_minus_shifted,
        "ceiling": report.ceiling,
        "frame_shift": report.frame_shift,
        "lag_frames": _lag_frames(report),
        "sources": report.sources,
        "clips_probed": report.clips_probed,
        "clips_found": report.clips_found,
        "advice": sentences,
    }


def _lag_frames(report: ProbeReport) -> int | None:
    """How late the sound is; None where too little is explained to know."""
    return report.lags.best_frames if max(report.lags.explained) > 0.02 else None


def _table(report: ProbeReport) -> Table:
    what = "blocks of time" if report.by_time else "sources"
    sources = f"{report.sources} source{'s' if report.sources != 1 else ''}"
    title = f"{report.clips_probed} clips of {sources}, {report.seconds / 60:.2g} minutes; held-out {what}"
    table = Table("", "", "95 %", title=title, title_justify="left")
    table.columns[1].justify = table.columns[2].justify = "right"
    table.add_row("motion explained by the sound", *_cells(report.explained))
    table.add_row("  of what 24 principal components could explain", f"{max(0.0, report.of_ceiling):.0%}", "")
    table.add_row("by the sound shifted in time", *_cells(report.shifted))
    table.add_row("by the true 24 principal components", *_cells(report.ceiling))
    table.add_row("share of the change that shifts the whole frame", f"{report.frame_shift:.0%}", "")
    late = _lag_frames(report)
    table.add_row("frames that the sound is late (negative: early)", "unknown" if late is None else str(late), "")
    return table


def _cells(score: Interval) -> tuple[str, str]:
    from s2v_ray.evaluation.report.table import signed

    low_high = "" if score.low is None or score.high is None else f"[{signed(score.low)}, {signed(score.high)}]"
    return signed(score.mean), low_high
