"""How good are videos of a model trained as by `s2v demo`, on unseen synthetic sources? Ten minutes per training.

For each domain: matched − mismatched, lag, motion explained beside its noise ceiling (the resampled reference), L1
beside the frozen image's, and how often the sync classifier accepts it beside the real video. `--twin` compares with
the same training without adversary; `--colours` trains on one range of hues and tests on another.
"""

import argparse
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks.measuring import Ratio
from benchmarks.recolour import recoloured
from s2v_ray.cli.evaluate import evaluate
from s2v_ray.cli.job import local_path
from s2v_ray.cli.prepare import prepare
from s2v_ray.cli.train import train
from s2v_ray.config import load_config, with_settings
from s2v_ray.dataset.settings import CENTRE, clip_settings
from s2v_ray.errors import UserError
from s2v_ray.evaluation.report.schema import Report
from s2v_ray.evaluation.scores import Score, interval_score
from s2v_ray.synthetic.nuisance.levels import LEVELS
from s2v_ray.synthetic.scenes import SCENES
from s2v_ray.synthetic.write import synthesize

_SOURCES = 100
_WITHOUT_ADVERSARY = {"loss.adversarial_image_weight": 0, "loss.adversarial_video_weight": 0}
# Of the circle of hues.
_TRAINED, _UNSEEN = (0.0, 0.6), (0.68, 0.92)


def add_flags(verb: argparse.ArgumentParser) -> None:
    """The flags of `benchmark.py quality`."""
    verb.add_argument("--work", type=local_path, required=True, help="the folder for videos, clips, runs and reports")
    verb.add_argument("--domains", nargs="+", choices=sorted(SCENES), default=sorted(SCENES))
    verb.add_argument("--minutes", type=float, default=5.0, help="length of each training")
    verb.add_argument("--seed", type=int, default=0, help="for the videos and the training")
    verb.add_argument("--config", default="tiny")
    verb.add_argument("--nuisance", choices=list(LEVELS), default="off", help="of the videos, as of s2v synth")
    verb.add_argument("--twin", action="store_true")
    verb.add_argument("--colours", action="store_true")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """The figures of one domain after the other."""
    for domain in flags.domains:
        home = flags.work / domain
        yield from _colours(domain, home, flags) if flags.colours else _bars(domain, home, flags)


def _bars(domain: str, home: Path, flags: argparse.Namespace) -> Iterator[Ratio]:
    clips = _prepared(domain, home / "real", flags)
    resampled = _prepared(domain, home / "resampled", flags, resample=1)
    run = _trained(clips, home / "run", flags)
    report = _evaluated(run, clips, home / "report", flags, resampled=resampled)
    gap, lag, explained, ceiling = (
        _score(report, "matched_minus_mismatched"),
        _score(report, "lag_frames"),
        _score(report, "motion_explained"),
        _score(report, "motion_explained", "resampled reference"),
    )
    yield Ratio(f"{domain}: matched − mismatched {_interval(gap)}, of 0.75", gap.mean, 0.75)
    yield Ratio(f"{domain}: lag in frames {_interval(lag)}, of 1", lag.mean, 1)
    yield Ratio(
        f"{domain}: motion explained {_interval(explained)}, of resampled reference", explained.mean, ceiling.mean
    )
    for name, control in (("l1", "frozen image"), ("sync_classifier", "real video")):
        yield Ratio(
            f"{domain}: {name}, of the {control}'s", _score(report, name).mean, _score(report, name, control).mean
        )
    if flags.twin:
        twin_run = _trained(clips, home / "run-without-adversary", flags, settings=_WITHOUT_ADVERSARY)
        twin = _evaluated(twin_run, clips, home / "report-without-adversary", flags)
        for name in ("sharpness", "temporal_spectrum_distance", "motion_explained", "matched_minus_mismatched"):
            ours, theirs = _score(report, name), _score(twin, name)
            text = f"{domain}: {name} {_interval(ours)}, of {_interval(theirs)} without adversary"
            yield Ratio(f"{text}, difference by source {_difference(name, report, twin)}", ours.mean, theirs.mean)


def _colours(domain: str, home: Path, flags: argparse.Namespace) -> Iterator[Ratio]:
    """The same held-out sources, once in the hues of the training and once in others."""
    seen = _prepared(domain, home / "hues-trained", flags, hues=_TRAINED)
    unseen = _prepared(domain, home / "hues-unseen", flags, hues=_UNSEEN)
    run = _trained(seen, home / "run-hues", flags)
    inside = _evaluated(run, seen, home / "report-hues-trained", flags)
    outside = _evaluated(run, unseen, home / "report-hues-unseen", flags)
    for name in ("colour_error", "motion_explained", "matched_minus_mismatched"):
        theirs, ours = _score(inside, name), _score(outside, name)
        text = f"{domain}: {name} {_interval(ours)} of unseen hues, of {_interval(theirs)} of trained ones"
        yield Ratio(text, ours.mean, theirs.mean)
    frozen = (_score(report, "colour_error", "frozen image").mean for report in (outside, inside))
    yield Ratio(f"{domain}: colour_error of the frozen image, likewise", *frozen)


def _prepared(
    domain: str, home: Path, flags: argparse.Namespace, *, resample: int = 0, hues: tuple[float, float] | None = None
) -> str:
    """Clips of synthetic videos, made once."""
    clips = home / "clips"
    if not (clips / "dataset.json").exists():
        videos = home / "videos"
        repaint = partial(recoloured, hues=hues) if hues else None
        numbers = {"sources": _SOURCES, "seed": flags.seed, "size": 96, "resample": resample}
        synthesize(domain, videos, seconds=6.0, nuisance=flags.nuisance, repaint=repaint, **numbers)
        settings = clip_settings(clips_per_source=2, seed=flags.seed, crop=CENTRE)
        prepare(videos=(str(videos),), out=str(clips), domain=domain, settings=settings, local=True)
    return str(clips)


def _trained(clips: str, run: Path, flags: argparse.Namespace, settings: Mapping[str, float] | None = None) -> str:
    config = with_settings(load_config(flags.config), settings or {})
    train(clips=(clips,), out=str(run), config=config, minutes=flags.minutes, seed=flags.seed)
    return str(run)


def _evaluated(run: str, clips: str, out: Path, flags: argparse.Namespace, resampled: str | None = None) -> Report:
    again = (resampled,) if resampled else ()
    evaluate(checkpoint=run, clips=(clips,), out=str(out), resampled=again, seed=flags.seed)
    return Report.from_json((out / "report.json").read_text())


def _score(report: Report, name: str, control: str = "model") -> Score:
    score = report.score(name, control)
    if score is None:
        why = f"{name} of the {control} is undefined on {report.counts.sources} sources of '{report.clips}'"
        raise UserError("too_few_clips", f"{why}; prepare more videos.")
    return score


def _difference(name: str, ours: Report, theirs: Report) -> str:
    """Of the distances from the real video's score, or of the scores, over the same sources."""
    score = abs if name == "sharpness" else float
    pairs = [
        [source.scores["model"][name] for source in pair] for pair in zip(ours.sources, theirs.sources, strict=True)
    ]
    differences = [score(one) - score(other) for one, other in pairs if one is not None and other is not None]
    found = interval_score(differences, seed=0)
    if found is None:
        return "undefined"
    return f"{found.mean:+.3f} {_interval(found)}"


def _interval(score: Score) -> str:
    return "" if score.low is None or score.high is None else f"[{score.low:.2f}, {score.high:.2f}]"
