"""`s2v_ray.probe`: whether clips can be learnt."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2v_ray.api.inputs import Path, Paths, data_sets, location, naming_arguments
from s2v_ray.api.progress import progress_bar
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError
from s2v_ray.evaluation.probe.advice import is_learnable
from s2v_ray.evaluation.probe.report import ProbeReport
from s2v_ray.recipes.probe import probe as run
from s2v_ray.storage.own_folders import PROBE, check_output_folder
from s2v_ray.storage.paths import join


@dataclass(frozen=True)
class Probed:
    """What the probe found: its figures, what to do in sentences, whether to train, and where probe.json is."""

    report: ProbeReport
    advice: tuple[str, ...]
    is_learnable: bool
    out: str


@naming_arguments()
def probe(
    clips: Paths,
    out: Path = "",
    *,
    split: Sequence[str] = SPLITS,
    minutes: float = 1.0,
    seed: int = 0,
    progress: bool = True,
) -> Probed:
    """Tell in about a minute whether prepared clips can be learnt, and what would help, before training.

    Args:
        clips: what `prepare` wrote; several folders, globs or URIs are probed together.
        out: the folder for probe.json and probe.png; by default `probe` in that of the clips, if it is one.
        split: probe the clips of these splits; parts of them are held out in turn.
        minutes: about how long it may take on one core; the same minutes give the same result on any machine.
        seed: seed for what is held out, for the networks and for the bootstrap.
        progress: whether to show progress.

    `report.explained` is what the sound explains of the motion in clips that were held out, with a 95 % interval: 1 is
    all, 0 nothing. Raises UserError `no_clips`, `out_of_range`, `missing_flag`, and where there are too few clips.
    """
    places = data_sets(clips)
    if not out and len(places) > 1:
        raise UserError("missing_flag", "--out is needed with several --clips; name a folder for what is found.")
    where = location(out, "--out") if out else join(places[0], "probe")
    check_output_folder(where, "--out", PROBE)
    splits = (split,) if isinstance(split, str) else tuple(split)
    with progress_bar("probing", shown=progress) as show:
        report, advice = run(places, where, splits=splits, minutes=minutes, seed=seed, show=show)
    return Probed(report, tuple(advice), is_learnable(report), where)
