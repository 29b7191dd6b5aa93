"""FVD in a report: whose videos it compares, what it says of itself, and which files it asks for."""

import json

import numpy as np
import pytest
import torch
from helpers.small import QUICK, SMALL_CLIPS
from helpers.weights import levels, synthetic_i3d_weights

from s2v_ray.cli.main import main
from s2v_ray.dataset.reader import Clip
from s2v_ray.errors import UserError
from s2v_ray.evaluation.controls import ClipVideos
from s2v_ray.evaluation.pretrained import load_pretrained
from s2v_ray.evaluation.scores import Score, clip_features, score_fvd
from s2v_ray.metrics import i3d, lpips

CPU = torch.device("cpu")


def test_controls_stand_against_the_real_videos_of_the_same_clips():
    def videos(source, level, **more):
        real = torch.full((32, 3, 8, 8), level)
        real[16:] += 0.1
        clip = Clip("id", source, 0.0, None, np.zeros(8, np.int16))
        return ClipVideos(clip, real, real + 0.2, [real, real * 0], **more)

    pair = videos("a", 0.0, resampled=[torch.full((32, 3, 8, 8), 0.05)]), videos("b", 0.3)
    scores = score_fvd([clip_features(clip, levels) for clip in pair])
    # Only the mean differs, by 0.2 in both features.
    assert scores["model"] == Score(pytest.approx(2 * 0.2**2), None, None, count=2, windows=4)
    assert scores["mismatched sound"].mean == scores["real video"].mean == pytest.approx(0, abs=1e-9)
    assert scores["shifted sound"] is None
    # One clip alone: both windows at the real ones' mean, but without their variance of 2 · 0.05² a feature.
    reference = scores["resampled reference"]
    assert reference == Score(pytest.approx(2 * 2 * 0.05**2, rel=1e-5), None, None, count=1, windows=2)


def test_a_folder_with_neither_file_is_refused_naming_both(tmp_path):
    with pytest.raises(UserError) as refused:
        load_pretrained(str(tmp_path), CPU)
    assert refused.value.code == "no_weights"
    assert i3d.WEIGHTS in str(refused.value)
    assert lpips.WEIGHTS in str(refused.value)


@pytest.fixture
def weights_dir(tmp_path):
    torch.save(synthetic_i3d_weights(), tmp_path / i3d.WEIGHTS)
    return tmp_path


@pytest.fixture
def two_test_clips(small_videos, tmp_path):
    """As `small_clips`, but without overlap: on a CPU, the network takes a second or two a window."""
    folder = tmp_path / "clips"
    flags = [
        "--videos",
        str(small_videos),
        "--out",
        str(folder),
        "--local",
        "--stride-seconds",
        "0.8",
        *SMALL_CLIPS,
        *QUICK,
    ]
    assert main(["prepare", *flags]) == 0
    return folder


def test_the_report_holds_it_and_says_what_was_not_measured(weights_dir, small_run, two_test_clips, tmp_path, capsys):
    flags = ["--checkpoint", str(small_run), "--clips", str(two_test_clips), "--weights-dir", str(weights_dir)]
    assert main(["evaluate", *flags, "--out", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["counts"]["clips"] == 2  # of 20 frames: a window each
    scores = report["scores"]["fvd"]
    assert scores["model"]["windows"] == 2
    # Synthetic weights see little difference between any two videos.
    assert scores["frozen image"]["mean"] > 1e-10
    assert scores["real video"]["mean"] == pytest.approx(0, abs=1e-13)
    assert report["not_measured"] == ["LPIPS"]
    for text in (printed, (tmp_path / "report" / "report.html").read_text()):
        plain = " ".join(text.split())
        assert "FVD" in plain
        assert "2 windows of 16 frames" in plain
        assert f"LPIPS was not measured: --weights-dir has no {lpips.WEIGHTS}" in plain
