"""Few sources: what intervals are over, and where mismatched sounds come from."""

import json

import numpy as np
import pytest
from helpers.small import QUICK, SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.evaluation.controls import mismatched_sounds
from s2v_ray.evaluation.units import score_units
from s2v_ray.synthetic.write import synthesize


def test_units_are_sources_or_blocks_or_clips():
    three = score_units([("a", 0.0), ("b", 0.0), ("c", 0.0), ("a", 2.0)], 4.0)
    assert (three.kind, three.names) == ("sources", ["a", "b", "c", "a"])
    # Clips of 4 s from 0, 3 and 20 s of a, and from 1 s of b: three runs that don't touch.
    blocks = score_units([("a", 3.0), ("b", 1.0), ("a", 0.0), ("a", 20.0)], 4.0)
    assert blocks.kind == "blocks of time"
    assert blocks.names == ["a at 0.00 s", "b at 1.00 s", "a at 0.00 s", "a at 20.00 s"]
    clips = score_units([("a", 0.0), ("a", 1.0), ("a", 20.0)], 4.0)
    assert (clips.kind, len(set(clips.names))) == ("clips", 3)


@pytest.fixture(scope="module")
def one_video_clips(tmp_path_factory):
    """Clips of one video of twelve seconds, split by time."""
    videos, out = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("clips") / "one"
    synthesize("sea", videos, sources=1, seed=9, seconds=12.0, size=48)
    assert main(["prepare", "--videos", str(videos), "--out", str(out), "--local", *SMALL_CLIPS, *QUICK]) == 0
    return out


def test_mismatched_sounds_of_a_single_source_are_other_moments(one_video_clips):
    reader, more = (ClipReader(str(one_video_clips), split) for split in ("test", "train"))
    clips = [clips[number] for clips in (reader, more) for number in range(len(clips))]
    others = {clip.wave.tobytes(): clip.start_seconds for clip in clips}
    own = reader[0]
    sounds = mismatched_sounds(reader, more, 0, count=8, seed=0)
    assert len(sounds) == 8
    assert all(abs(others[sound.tobytes()] - own.start_seconds) >= 0.8 for sound in sounds)
    again = mismatched_sounds(reader, more, 0, count=8, seed=0)
    assert all(np.array_equal(one, other) for one, other in zip(sounds, again, strict=True))


def test_a_model_of_one_video_is_evaluated_on_its_unseen_moments(one_video_clips, small_model, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "report"
    train = ["train", "--clips", str(one_video_clips), "--out", str(run), "--config", str(small_model), "--steps", "2"]
    assert main(train) == 0
    assert main(["evaluate", "--checkpoint", str(run), "--clips", str(one_video_clips), "--out", str(out)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    report = json.loads((out / "report.json").read_text())
    assert report["held_out"] == "unseen moments of seen videos"
    assert report["counts"]["sources"] == 1
    assert report["units"] in ("clips", "blocks of time")
    assert len(report["sources"]) >= 2
    assert report["scores"]["matched_minus_mismatched"]["model"]["low"] is not None
    assert f"intervals are over {report['units']}" in printed
    assert "unseen moments of seen videos (test)" in printed
    assert "unseen moments of seen videos" in (out / "report.html").read_text()
