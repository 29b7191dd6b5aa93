"""The demo, as a person with nothing runs it: a video whose motion follows the sound, in every domain."""

import json

import av
import pytest
from helpers.scripting import answer_of

from s2v_ray.cli.main import main

# Less than the demo's own, so that all four domains fit into CI.
MINUTES = "2.5"


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.xdist_group("demo")  # it starts a Ray of its own
@pytest.mark.parametrize("domain", ["fireworks", "sea", "mouth", "hand"])
def test_the_matched_sound_moves_the_image_and_a_mismatched_one_does_not(domain, tmp_path, capsys):
    assert main(["demo", "--domain", domain, "--out", str(tmp_path), "--minutes", MINUTES, "--json"]) == 0
    answer = answer_of(capsys.readouterr().out, "demo")
    home = tmp_path / domain
    scores = json.loads((home / "report" / "report.json").read_text())["scores"]
    gap, explained = (scores[name]["model"] for name in ("matched_minus_mismatched", "motion_explained"))
    assert gap["count"] >= 5
    assert gap["mean"] >= 0.5
    assert gap["low"] > 0
    assert explained["low"] > 0
    assert answer["outputs"]["video"] == str(home / f"{domain}.mp4")
    assert answer["scores"]["motion_explained"]["model"]["mean"] == explained["mean"]
    with av.open(str(home / f"{domain}.mp4")) as made:
        assert sum(1 for _ in made.decode(video=0)) == 240  # 8 s
