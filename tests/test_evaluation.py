"""Controls, scores and the report."""

import json

import numpy as np
import pytest
import torch

from s2v_ray.cli.main import main
from s2v_ray.clips.reader import Clip, ClipReader
from s2v_ray.evaluation.controls import ClipVideos, clip_videos, wrong_sounds
from s2v_ray.evaluation.scores import score_clip, score_sources, summarise
from s2v_ray.evaluation.validation import validation
from s2v_ray.training.checkpoint import find_checkpoint, load_model


def blinking(frames_on: list[int], level: float = 1.0) -> torch.Tensor:
    """A dark video [12, 3, 16, 16] that is bright in the given frames."""
    video = torch.full((12, 3, 16, 16), -1.0)
    video[frames_on] = -1 + level
    return video


def clip(source: str) -> Clip:
    return Clip("id", source, 0.0, None, None)  # type: ignore[arg-type]


def test_scores_of_a_source_worked_out_by_hand():
    real = blinking([3, 8])
    right, wrong = blinking([3, 8], level=0.5), blinking([5, 10], level=1.0)
    scored = score_sources([score_clip(ClipVideos(clip("a"), real, right, [wrong]))])
    scores = scored[0]["scores"]
    assert scores["model"]["motion_correlation"] == pytest.approx(1)
    assert scores["frozen picture"]["motion_correlation"] == 0
    assert scores["real video"]["motion_explained"] == 1
    # Squared errors in units of bright frames: ours 2·¼, frozen 2, the deaf mean (here the one wrong sound) 4.
    assert scores["model"]["motion_explained"] == pytest.approx(1 - 0.5 / 2)
    assert scores["wrong sound"]["motion_explained"] == pytest.approx(1 - 4 / 2)
    assert scores["model"]["lag_frames"] == 0
    # Of [0, 1]: half a level of one, a quarter, in 2 of 12 frames.
    assert scores["model"]["l1"] == pytest.approx(0.25 * 2 / 12)
    gap = scores["model"]["motion_correlation"] - scores["wrong sound"]["motion_correlation"]
    assert scores["model"]["right_minus_wrong"] == pytest.approx(gap)


def test_errors_add_up_over_the_clips_of_a_source_and_sources_count_alike():
    real, still = blinking([3, 8]), blinking([])
    perfect = score_clip(ClipVideos(clip("a"), real, real, [still]))
    frozen = score_clip(ClipVideos(clip("a"), real, still, [still]))
    lone = score_clip(ClipVideos(clip("b"), real, real, [still]))
    sources = score_sources([perfect, frozen, lone])
    assert [source["clips"] for source in sources] == [2, 1]
    assert [source["scores"]["model"]["motion_explained"] for source in sources] == pytest.approx([0.5, 1])
    summary = summarise(sources, seed=0)["motion_explained"]["model"]
    assert (summary["mean"], summary["count"]) == (pytest.approx(0.75), 2)


def test_without_other_sources_nothing_is_said_of_wrong_sounds():
    real = blinking([3])
    scores = score_sources([score_clip(ClipVideos(clip("a"), real, real, []))])[0]["scores"]
    assert scores["wrong sound"]["motion_correlation"] is None
    assert scores["model"]["right_minus_wrong"] is None
    assert scores["model"]["motion_explained"] == 1


def test_wrong_sounds_are_of_other_sources_each_once_and_seeded(small_clips):
    train, test = ClipReader(str(small_clips), "train"), ClipReader(str(small_clips), "test")
    assert len(set(train.sources)) == 4
    assert len(wrong_sounds(test, train, 0, count=8, seed=0)) == 4
    assert len(wrong_sounds(train, None, 0, count=8, seed=0)) == 3  # not its own
    drawn = [wrong_sounds(train, test, 0, count=3, seed=seed) for seed in (1, 1, 2, 3, 4)]
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(drawn[0], drawn[1], strict=True))
    assert len({b"".join(wave.tobytes() for wave in sounds) for sounds in drawn}) > 2


def test_videos_are_judged_as_a_file_holds_them(small_run, small_clips):
    model, config, _ = load_model(find_checkpoint(small_run))
    videos = clip_videos(model, ClipReader(str(small_clips), "test"), 0, [], config.data.resolution)
    levels = (videos.model + 1) * 127.5
    assert (levels - levels.round()).abs().max() < 1e-3
    assert videos.frozen.shape == videos.real.shape == videos.model.shape == (20, 3, 32, 32)
    assert torch.equal(videos.deaf_mean, videos.frozen)


def test_validation_scores_the_held_out_sources(small_run, small_clips):
    model, _, _ = load_model(find_checkpoint(small_run))
    validate = validation(
        ClipReader(str(small_clips), "val"), ClipReader(str(small_clips), "train"), clips=3, resolution=32
    )
    assert validate is not None
    result = validate(model)
    assert result.score == pytest.approx(result.metrics["motion_explained"] + result.metrics["right_minus_wrong"])
    assert result.sample.shape == (2 * 32, 32, 3)


def test_the_report_is_written_and_repeats_itself(small_run, small_clips, tmp_path, capsys):
    command = ["evaluate", "--checkpoint", str(small_run), "--clips", str(small_clips)]
    assert main([*command, "--out", str(tmp_path / "a")]) == 0
    told = capsys.readouterr().out
    assert "motion correlation" in told
    assert "wrong sound" in told
    assert main([*command, "--out", str(tmp_path / "b")]) == 0
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    assert report == json.loads((tmp_path / "b" / "report.json").read_text())
    assert report["counts"]["sources"] == 1
    assert report["scores"]["motion_correlation"]["real video"]["mean"] == pytest.approx(1)
    for name in ("figure_2.png", "motion.png"):
        assert (tmp_path / "a" / name).stat().st_size > 5000
