"""Which clips checkpoints are chosen by, how their scores are pooled, and when they are too few."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from s2v_ray.cli.main import main
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.evaluation.controls import clip_videos, encode_sounds, generate_videos, mismatched_sounds
from s2v_ray.evaluation.scores import score_clip, score_sources
from s2v_ray.evaluation.validation import spread_clips, validation, validation_warning
from s2v_ray.metrics.motion_explained import pooled_motion_explained
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.data.pixels import to_bytes, to_float


def pooled(*errors: tuple[float, float]) -> float:
    """Of sources, each with the model's error and the baseline's."""
    return float(pooled_motion_explained(np.array(errors, dtype=float)))


def test_pooled_motion_explained_worked_out_by_hand():
    assert pooled((1, 4)) == pytest.approx(0.75)
    # Baselines 2, 4 and 8 weigh 2, 4 and 4, the median; explained are 1/2, 3/4 and 1/4.
    assert pooled((1, 2), (1, 4), (6, 8)) == pytest.approx((2 * 0.5 + 4 * 0.75 + 4 * 0.25) / 10)
    assert pooled((0, 2), (0, 4), (0, 8)) == 1


def test_a_nearly_still_source_does_not_decide():
    # By itself it would be at 1 - 100; a mean over sources would be at -49.
    assert pooled((1, 4), (0.1, 0.001)) == pytest.approx((2.0005 * 0.75 - 0.001) / 2.0015)
    assert pooled((1, 4), (5, 0)) == pytest.approx(0.75)
    assert pooled((5, 0), (0, 0)) == 0


def test_no_source_does_more_than_its_part():
    good = [(1.0, 4.0)] * 9
    for wild in ((1e9, 4.0), (1e9, 1e9), (1e12, 1e6), (1e9, 1e-3)):
        assert pooled(*good, wild) >= 0.75 - (2 / 10) * (0.75 + 1), wild
    assert pooled((1e9, 4.0)) == -1


def test_pooling_is_the_same_for_many_resamples_at_once():
    random = np.random.default_rng(0)
    errors = random.random((50, 7, 2)) * (random.random((50, 7, 1)) > 0.3)
    assert pooled_motion_explained(errors) == pytest.approx([pooled(*row) for row in errors])


def test_clips_are_of_as_many_sources_as_possible_and_spaced_evenly():
    sources = ["a"] * 4 + ["b"] * 1 + ["c"] * 6
    assert spread_clips(sources, 2) == [2, 8]
    assert spread_clips(sources, 3) == [2, 4, 8]
    assert spread_clips(sources, 5) == [1, 3, 4, 6, 9]
    assert spread_clips(sources, 100) == list(range(11))
    assert spread_clips([], 5) == []
    many = [str(number) for number in range(100)]
    assert spread_clips(many, 4) == [12, 37, 62, 87]


def test_a_validation_is_as_its_clips_scored_one_by_one(small_run, small_clips):
    # On the training clips, since there are four sources of these.
    model, _, _ = load_model(find_checkpoint(small_run))
    reader, more = ClipReader(str(small_clips), "train"), ClipReader(str(small_clips), "val")
    validate = validation(reader, more, clips=4, resolution=32)
    result = validate(model)
    scored = []
    for number in spread_clips(reader.sources, 4):
        others = mismatched_sounds(reader, more, number, count=3, seed=0)
        whole = clip_videos(model, reader, number, others, 32, shifted=False)
        halved = {"real": whole.real[::2], "model": whole.model[::2], "mismatched": [v[::2] for v in whole.mismatched]}
        scored.append(score_clip(replace(whole, **halved), appearance=False))
    sources = score_sources(scored)
    errors = [(source.errors["model"], source.baseline_error) for source in sources]
    assert result.metrics["motion_explained"] == pytest.approx(pooled(*errors), abs=1e-4)
    gaps = [source.scores["model"]["matched_minus_mismatched"] for source in sources]
    assert result.metrics["matched_minus_mismatched"] == pytest.approx(np.mean(gaps), abs=1e-3)
    assert (result.metrics["sources"], result.metrics["clips"]) == (4, 4)
    assert validate(model).metrics == result.metrics


def test_videos_of_several_sounds_at_once_are_those_made_one_by_one(small_run, small_clips):
    model, _, _ = load_model(find_checkpoint(small_run))
    clip = ClipReader(str(small_clips), "test")[0]
    waves = [clip.wave, clip.wave[::-1].copy(), np.zeros_like(clip.wave)]
    image_CHW = torch.rand(3, 32, 32) * 2 - 1
    with torch.no_grad():
        together = generate_videos(model, image_CHW, encode_sounds(model, waves))
        for wave, video_TCHW in zip(waves, together, strict=True):
            alone_TCHW = model(image_CHW[None], torch.from_numpy(wave / 32768).float()[None])[0]
            # At most one level apart, where the rounding of floats decides the rounding to levels.
            assert (video_TCHW - to_float(to_bytes(alone_TCHW))).abs().max() <= 2 / 255 + 1e-6


def test_a_small_val_is_warned_about(small_clips):
    reader = ClipReader(str(small_clips), "val")
    assert f"{len(reader)} clip{'s' * (len(reader) > 1)} (" in validation_warning(reader, 32)

    def of(*sources: str) -> SimpleNamespace:
        return SimpleNamespace(sources=sources, location="clips", settings=reader.settings)

    # Four sources of 20 s: clips of 0.8 s.
    four = of(*["a", "b", "c", "d"] * 7)
    assert validation_warning(four, 100) is None
    assert "16 clips (13 s) of 4 sources" in validation_warning(four, 16)
    one = of(*["a"] * 75)
    assert validation_warning(one, 100) is None
    assert "'val' has 74 clips (59 s) of 1 source," in validation_warning(one, 74)
    assert "no clips in its split 'val'" in validation_warning(of(), 32)


def test_training_says_that_val_is_small(small_clips, small_model, tmp_path, capsys):
    command = ["train", "--clips", str(small_clips), "--out", str(tmp_path / "run"), "--config", str(small_model)]
    assert main([*command, "--steps", "1"]) == 0
    assert "too few to tell good checkpoints from lucky ones" in capsys.readouterr().out
    assert '"validation/sources": 1.0' in (tmp_path / "run" / "metrics.jsonl").read_text()
