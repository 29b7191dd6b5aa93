"""`s2v evaluate`: a model on held-out sources, its controls beside it, as JSON, figures, videos and a page."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from s2v_ray.config import Config
from s2v_ray.config.load import differing_names
from s2v_ray.dataset.reader import Clip, ClipReader
from s2v_ray.errors import UserError
from s2v_ray.evaluation.controls import MISMATCHED_SOUNDS, clip_videos, mismatched_sounds
from s2v_ray.evaluation.examples import choose_examples, write_example
from s2v_ray.evaluation.figures import headline_figure
from s2v_ray.evaluation.fvd import clip_features, score_fvd
from s2v_ray.evaluation.page import report_page
from s2v_ray.evaluation.scores import score_clip, score_sources, summarise
from s2v_ray.evaluation.sync_classifier import sync_classifier_accuracy, train_sync_classifier
from s2v_ray.evaluation.weights_dir import Networks, load_networks
from s2v_ray.metrics.bootstrap import interval
from s2v_ray.storage.files import make_folder, write_bytes
from s2v_ray.storage.paths import join
from s2v_ray.training.checkpoint import find_checkpoint, load_model

HEADLINE = "headline.png"


def evaluate(
    checkpoint: str,
    clips: str,
    out: str,
    device: torch.device,
    *,
    seed: int,
    split: str = "test",
    resampled: str | None = None,
    weights_dir: str | None = None,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Score a checkpoint on a split of a data set; writes `report.json`, `report.html` and what it shows to `out`.

    `resampled` are the same made-up videos, synthesized with another `redraw` and prepared alike: one control more.
    `weights_dir` is a folder with the weights of AlexNet, for LPIPS, of I3D, for FVD, or of both.

    Returns the report. Raises UserError for clips of other rates than the checkpoint's, and where the split is empty.
    """
    if seed < 0:
        raise UserError(f"--seed is {seed}, but must be at least 0.")
    location = find_checkpoint(checkpoint)
    model, config, described = load_model(location)
    reader = ClipReader(clips, split)
    check_clips_fit(reader, config, checkpoint)
    if not len(reader):
        raise UserError(f"'{clips}' has no clips in its split '{split}' to evaluate on; prepare more videos.")
    networks = load_networks(weights_dir, device) if weights_dir else Networks()
    make_folder(out)
    # With few held-out sources the mismatched sounds come from the others, too. Hearing those in training gives no help.
    more = ClipReader(clips, [name for name in ("val", "train") if name != split])
    resolution = config.data.resolution
    judge = train_sync_classifier(
        ClipReader(clips, "train"), sample_rate=config.clips.sample_rate, resolution=resolution, seed=seed
    )
    model.to(device)
    again = _by_id(resampled, split) if resampled else {}
    rows, features = [], []
    for number in range(len(reader)):
        others = mismatched_sounds(reader, more, number, count=MISMATCHED_SOUNDS, seed=seed)
        videos = clip_videos(model, reader, number, others, resolution, resampled=again)
        rows.append(score_clip(videos, sync_classifier=judge, lpips=networks.lpips))
        if networks.i3d:
            features.append(clip_features(videos, networks.i3d))
        show(number + 1, len(reader))
    sources = score_sources(rows)
    accuracy = judge and sync_classifier_accuracy(judge, reader, more, resolution=resolution, seed=seed)
    examples = choose_examples(rows)
    report = {
        "checkpoint": location,
        "step": described["step"],
        "clips": str(clips),
        "split": split,
        "seed": seed,
        "counts": {"sources": len(sources), "clips": len(rows)},
        "sync_classifier_accuracy": asdict(interval(list(accuracy.values()), seed=seed)) if accuracy else None,
        "examples": {
            name: {key: rows[number][key] for key in ("source", "clip_id", "scores")}
            for name, number in examples.items()
        },
        "not_measured": networks.missing,
        "scores": summarise(sources, seed) | ({"fvd": score_fvd(features)} if features else {}),
        "sources": sources,
        "config": asdict(config),
    }
    write_bytes(join(out, "report.json"), json.dumps(report, indent=2).encode())
    for name, number in examples.items():
        others = mismatched_sounds(reader, more, number, count=1, seed=seed)
        videos = clip_videos(model, reader, number, others, resolution)
        write_example(out, name, videos, others[0] if others else None, config.clips)
    headline_figure(join(out, HEADLINE), report)
    write_bytes(join(out, "report.html"), report_page(report, out).encode())
    return report


def _by_id(clips: str, split: str) -> dict[str, Clip]:
    reader = ClipReader(clips, split)
    return {clip.clip_id: clip for clip in (reader[number] for number in range(len(reader)))}


def check_clips_fit(reader: ClipReader, config: Config, checkpoint: str) -> None:
    """Raises UserError where the clips have other rates than those the checkpoint was trained on."""
    ours, theirs = asdict(config.clips), asdict(reader.settings.clip_config())
    # A model makes any number of frames.
    names = [name for name in differing_names(ours, theirs) if name != "frames"]
    if names:
        told = ", ".join(f"{name} {theirs[name]} instead of {ours[name]}" for name in names)
        raise UserError(
            f"The clips in '{reader.location}' don't fit the checkpoint '{checkpoint}': {told}; "
            "prepare them with the checkpoint's settings."
        )
