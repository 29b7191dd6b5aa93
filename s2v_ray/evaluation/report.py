"""`s2v evaluate`: a model on held-out sources, its controls beside it, as a table, JSON and figures."""

import json
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from typing import Any

import torch
from rich.table import Table

from s2v_ray.clips.pixels import wave_to_float
from s2v_ray.clips.reader import ClipReader
from s2v_ray.config import Config, UserError
from s2v_ray.config.load import differing_names
from s2v_ray.evaluation.controls import CONTROLS, MODEL, WRONG_SOUNDS, ClipVideos, clip_videos, wrong_sounds
from s2v_ray.evaluation.figures import figure_2, motion_curves
from s2v_ray.evaluation.scores import score_clip, score_sources, summarise
from s2v_ray.media.storage import join, make_folder, write_bytes
from s2v_ray.training.checkpoint import find_checkpoint, load_model

# The paper's figure shows every 20th frame; of long clips fewer, so that they fit.
_FIGURE_EVERY, _FIGURE_FRAMES = 20, 12
# What the table shows, and how many digits matter.
_ROWS = {
    "motion_correlation": ("motion correlation", 2),
    "right_minus_wrong": ("  right minus wrong sound", 2),
    "motion_explained": ("motion explained", 2),
    "motion_explained_over_picture": ("  over the frozen picture alone", 2),
    "lag_frames": ("lag, frames (+ is late)", 1),
    "l1": ("L1, of 1", 4),
    "psnr": ("PSNR, dB", 1),
    "ssim": ("SSIM", 3),
}


def evaluate(
    checkpoint: str,
    clips: str,
    out: str,
    device: torch.device,
    *,
    seed: int,
    split: str = "test",
    show: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Score a checkpoint on a split of a data set; writes `report.json` and PNGs to `out`, and returns the report.

    Raises UserError for clips of other rates than the checkpoint's, and where the split is empty.
    """
    if seed < 0:
        raise UserError(f"--seed is {seed}, but must be at least 0.")
    location = find_checkpoint(checkpoint)
    model, config, described = load_model(location)
    reader = ClipReader(clips, split)
    check_clips_fit(reader, config, checkpoint)
    if not len(reader):
        raise UserError(f"'{clips}' has no clips in its split '{split}' to evaluate on; prepare more videos.")
    make_folder(out)
    # With few held-out sources the wrong sounds come from the others, too. Hearing those in training gives no help.
    more = ClipReader(clips, [name for name in ("val", "train") if name != split])
    model.to(device)
    rows = []
    for number in range(len(reader)):
        others = wrong_sounds(reader, more, number, count=WRONG_SOUNDS, seed=seed)
        videos = clip_videos(model, reader, number, others, config.data.resolution)
        rows.append(score_clip(videos))
        show(number + 1, len(reader))
    sources = score_sources(rows)
    report = {
        "checkpoint": location,
        "step": described["step"],
        "clips": str(clips),
        "split": split,
        "seed": seed,
        "counts": {"sources": len(sources), "clips": len(rows)},
        "scores": summarise(sources, seed),
        "sources": sources,
        "config": asdict(config),
    }
    write_bytes(join(out, "report.json"), json.dumps(report, indent=2).encode())
    number = _median_clip(rows)
    others = wrong_sounds(reader, more, number, count=1, seed=seed)
    _draw(clip_videos(model, reader, number, others, config.data.resolution), config, out)
    return report


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


def table(report: dict[str, Any]) -> Table:
    """The report's scores for a terminal."""
    counts = report["counts"]
    kind = "sources it was trained on" if report["split"] == "train" else f"held-out sources ({report['split']})"
    title = f"{counts['clips']} clips of {counts['sources']} {kind}, means with 95 % intervals over sources"
    drawn = Table(title=title, title_justify="left")
    drawn.add_column("")
    for control in CONTROLS:
        drawn.add_column(control, justify="right")
    for name, (label, digits) in _ROWS.items():
        cells = report["scores"][name]
        drawn.add_row(label, *(_cell(cells[control], digits, control == MODEL) for control in CONTROLS))
    return drawn


def _cell(score: dict[str, Any] | None, digits: int, with_interval: bool) -> str:
    if score is None:
        return "–"
    text = f"{score['mean']:.{digits}f}"
    if with_interval and score["low"] is not None:
        text += f" [{score['low']:.{digits}f}, {score['high']:.{digits}f}]"
    return text


def _median_clip(rows: list[dict[str, Any]]) -> int:
    """The clip to show: neither the best nor the worst."""
    ranked = sorted(range(len(rows)), key=lambda number: rows[number]["scores"][MODEL]["motion_correlation"])
    return ranked[len(ranked) // 2]


def _draw(videos: ClipVideos, config: Config, out: str) -> None:
    wave_S = wave_to_float(torch.from_numpy(videos.clip.wave.copy()))
    sample_rate, frame_rate = config.clips.sample_rate, Fraction(config.clips.frame_rate)
    figure_2(
        join(out, "figure_2.png"),
        wave_S=wave_S,
        picture_CHW=videos.real[0],
        generated_TCHW=videos.model,
        real_TCHW=videos.real,
        sample_rate=sample_rate,
        frame_rate=frame_rate,
        every=max(_FIGURE_EVERY, -(-len(videos.real) // _FIGURE_FRAMES)),
    )
    motion_curves(
        join(out, "motion.png"),
        wave_S=wave_S,
        real_TCHW=videos.real,
        right_TCHW=videos.model,
        wrong_TCHW=videos.wrong[0] if videos.wrong else videos.frozen,
        sample_rate=sample_rate,
        frame_rate=frame_rate,
    )
