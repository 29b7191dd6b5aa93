"""A report on a run as evaluate would write it, with scores that are made up."""

from pathlib import Path

from s2v_ray.evaluation.controls import CONTROLS, FROZEN, MISMATCHED, MODEL
from s2v_ray.evaluation.report.schema import Counts, Report
from s2v_ray.evaluation.scores import Score, SourceScores
from s2v_ray.training.checkpoint import read_checkpoint
from s2v_ray.training.checkpoint_files import find_checkpoint


def write_report(folder: Path, run: Path, **changes: object) -> Path:
    """Motion correlation 0.5 [0.25, 0.75], 0.125 with mismatched sounds, over four sources; FVD is undefined."""
    saved = read_checkpoint(find_checkpoint(str(run)))
    scores: dict[str, dict[str, Score | None]] = {
        name: dict.fromkeys(CONTROLS) for name in ("motion_correlation", "motion_explained", "lag_frames", "fvd")
    }
    for name, gap in (("motion_correlation", 0.5), ("matched_minus_mismatched", 0.375)):
        scores[name] = dict.fromkeys(CONTROLS) | {MODEL: Score(gap, 0.25, 0.75, 4)}
    scores["motion_correlation"] |= {
        MISMATCHED: Score(0.125, 0.0, 0.25, 4),
        FROZEN: Score(0.0, 0.0, 0.0, 4),
    }
    scores["appearance_error"] = dict.fromkeys(CONTROLS)
    values = {
        "checkpoint": saved.checkpoint,
        "step": saved.description["step"],
        "clips": "/home/somebody/clips/sea",
        "split": "test",
        "seed": 0,
        "counts": Counts(4, 4),
        "sync_classifier_accuracy": None,
        "examples": {},
        "not_measured": (),
        "scores": scores,
        "sources": [SourceScores(f"source {number}", 1, {}) for number in range(4)],
        "config": saved.config,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(Report(**values | changes).to_json())  # type: ignore[arg-type]
    return folder
