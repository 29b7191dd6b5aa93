"""Which settings are worth their cost? python jobs/ablation.py --clips CLIPS ... --variants FILE --out FILE.

Each variant of a preset is trained for as long as `--steps` steps of the preset itself take, then scored on held-out
sources. The variant's number of steps follows from the process time of a step of each, measured alternately, so that
other programs on the machine don't change the result. The variants are tables of a TOML file, each of dotted settings.

Results are appended to `--out`, one JSON line per training, and trainings that it already holds are skipped. At the
end, a table in Markdown shows each variant's mean difference to the first one over the same sources, with 95 %
bootstrap intervals.
"""

import argparse
import json
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import needs  # noqa: F401  # says what this Python lacks
import torch

from s2v_ray.cli.job import local_path, location
from s2v_ray.config import load_config, with_settings
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.evaluation.controls import MODEL, ClipVideos, clip_videos, mismatched_sounds
from s2v_ray.evaluation.scores import score_clip, score_sources
from s2v_ray.metrics.bootstrap import interval
from s2v_ray.recipes.train import PreparedClips, job_on, run_training
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import last_checkpoint
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.run import config_for_clips
from s2v_ray.training.schedule import Budget
from s2v_ray.training.state import TrainingState, new_state
from s2v_ray.training.step import train_step

CPU = torch.device("cpu")
METRICS = ("motion_explained", "sharpness", "temporal_spectrum_distance", "colour_error", "l1")
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", nargs="+", type=location, required=True)
    parser.add_argument("--variants", type=local_path, required=True)
    parser.add_argument("--out", type=local_path, required=True)
    parser.add_argument("--config", default="tiny")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    flags = parser.parse_args()
    torch.set_num_threads(1)
    variants = tomllib.loads(flags.variants.read_text())
    rows = [json.loads(line) for line in flags.out.read_text().splitlines()] if flags.out.exists() else []
    done = {(row["variant"], row["clips"], row["seed"]) for row in rows}
    for name, settings in variants.items():
        todo = [(clips, seed) for clips in flags.clips for seed in flags.seeds if (name, clips, seed) not in done]
        cost = relative_cost(flags.config, todo[0][0], settings) if todo else 1.0
        for clips, seed in todo:
            scores = trained_scores(flags.config, clips, settings, round(flags.steps / cost), seed)
            rows.append({"variant": name, "clips": clips, "seed": seed, "cost": cost, "sources": scores})
            with flags.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(f"{name}, {clips}, seed {seed}: done", flush=True)
    print("\n".join(table(rows, list(variants))))


def state_of(preset: str, clips: str, settings: Mapping[str, Any]) -> TrainingState:
    """A training of the preset with some settings, before its first step."""
    config = with_settings(load_config(preset), settings)
    return new_state(config_for_clips(config, read_dataset(clips).settings), CPU)


def relative_cost(preset: str, clips: str, settings: Mapping[str, Any], *, turns: int = 6, steps: int = 4) -> float:
    """The process time of a step relative to the preset's: the minimum over `turns`, weighted by their use of D."""
    if not settings:
        return 1.0
    sides = [state_of(preset, clips, each) for each in ({}, settings)]
    feeds = [training_batches(ClipReader(clips, "train"), side.config, CPU) for side in sides]
    spent: dict[tuple[int, bool], list[float]] = {}
    for turn in range(2 * turns):
        for number, (side, feed) in enumerate(zip(sides, feeds, strict=True)):
            side.progress = 1.0 if turn >= turns else side.config.loss.generator_start
            begin = time.process_time()
            for batch in islice(feed, steps):
                train_step(side, batch)
            spent.setdefault((number, turn >= turns), []).append(time.process_time() - begin)
    base, variant = (
        share * min(spent[number, False]) + (1 - share) * min(spent[number, True])
        for number, share in enumerate(side.config.loss.discriminator_start for side in sides)
    )
    return variant / base


def trained_scores(preset: str, clips: str, settings: Mapping[str, Any], steps: int, seed: int) -> list[Row]:
    """Train, and score a clip of each source of the split `test`."""
    budget = {"training.steps": steps, "training.validate_every_steps": steps, "training.save_every_steps": steps}
    config = state_of(preset, clips, {**settings, **budget, "training.seed": seed}).config
    with tempfile.TemporaryDirectory() as run:
        run_training(job_on(PreparedClips(clips), config, run), Budget(steps))
        model, _, _ = load_model(str(last_checkpoint(run)))
    train, test = ClipReader(clips, "train"), ClipReader(clips, "test")
    firsts = [test.sources.index(source) for source in dict.fromkeys(test.sources)]
    scored: list[ClipVideos] = []
    for number in firsts:
        others = mismatched_sounds(test, train, number, count=4, seed=0)
        scored.append(clip_videos(model, test, number, others, config.data.resolution, shifted=False))
    return [
        {"source": row.source, **row.scores[MODEL]} for row in score_sources([score_clip(videos) for videos in scored])
    ]


def table(rows: list[Row], names: list[str]) -> Iterator[str]:
    """The lines of a Markdown table of differences to the first variant."""
    found = {(row["variant"], row["clips"], row["seed"]): row for row in rows}
    yield "| variant | cost of a step | " + " | ".join(METRICS) + " |"
    yield "|---" * (len(METRICS) + 2) + "|"
    for name in names:
        mine = {key[1:]: row for key, row in found.items() if key[0] == name}
        cells = [_cell(mine, found, names[0], metric) for metric in METRICS]
        costs = [row["cost"] for row in mine.values()]
        if costs:
            yield f"| {name} | {sum(costs) / len(costs):.2f} | " + " | ".join(cells) + " |"


def _cell(mine: dict[tuple[str, int], Row], found: dict[tuple[str, str, int], Row], base: str, metric: str) -> str:
    differences = []
    for clips_and_seed, row in mine.items():
        other = found.get((base, *clips_and_seed))
        if other:
            pairs = zip(row["sources"], other["sources"], strict=True)
            differences += [a[metric] - b[metric] for a, b in pairs if None not in (a[metric], b[metric])]
    if not differences:
        return ""
    found_interval = interval(differences, seed=0)
    return f"{found_interval.mean:+.3g} [{found_interval.low:+.3g}, {found_interval.high:+.3g}]"


if __name__ == "__main__":
    main()
