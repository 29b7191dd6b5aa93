"""The report's page: whole, safe, and readable in a browser without network."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from s2v_ray.cli.main import main
from s2v_ray.evaluation.examples import choose_examples
from s2v_ray.evaluation.page import headline, report_page


@pytest.fixture(scope="module")
def report_folder(small_run, small_clips, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert main(["evaluate", "--checkpoint", str(small_run), "--clips", str(small_clips), "--out", str(folder)]) == 0
    return folder


def test_the_page_carries_all_it_shows(report_folder):
    page = (report_folder / "report.html").read_text()
    sources = re.findall(r'src="([^"]{0,30})', page)
    # The headline; for each of three clips three videos and two figures; and the data card.
    assert len(sources) == 1 + 3 * 5 + 1
    assert all(source.startswith("data:") for source in sources)
    assert "http:" not in page
    assert "https:" not in page
    for told in ("motion correlation", "shifted sound", "The sync classifier", "generator_lr", "The clips"):
        assert told in page


def test_names_from_strangers_are_shown_and_not_run(report_folder):
    report = json.loads((report_folder / "report.json").read_text())
    bad = "<script>alert(1)</script>.mp4"
    report["checkpoint"] = bad
    for example in report["examples"].values():
        example["source"] = bad
    page = report_page(report, report_folder)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 1 + len(report["examples"])


def test_examples_are_chosen_by_their_score():
    rows = [{"scores": {"model": {"motion_correlation": value}}} for value in (0.2, 0.9, None, 0.5, 0.4)]
    assert choose_examples(rows) == {"best": 1, "median": 4, "worst": 2}
    assert choose_examples(rows[:1]) == {"median": 0}


@pytest.mark.parametrize(("low", "lag", "told"), [(0.4, 0.3, "it is the sound"), (-0.1, -7.0, "7.0 frames too early")])
def test_the_headline_says_what_the_scores_say(low, lag, told):
    def score(mean: float, low: float = 0.0) -> dict[str, float]:
        return {"mean": mean, "low": low, "high": 1.0}

    scores = {
        "motion_correlation": {"model": score(0.6), "mismatched sound": score(0.0)},
        "matched_minus_mismatched": {"model": score(0.6, low)},
        "motion_explained": {"model": None},
        "lag_frames": {"model": score(lag)},
        "appearance_error": {"model": None},
    }
    sentences = " ".join(headline({"scores": scores, "counts": {"sources": 9}}))
    assert told in sentences
    assert ("too close to say" in sentences) == (low < 0)


def test_a_browser_shows_it(report_folder, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium to open the report in")
    picture = tmp_path / "page.png"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1150,5000"]
    page = (report_folder / "report.html").as_uri()
    subprocess.run([*command, f"--screenshot={picture}", page], check=True, timeout=120, capture_output=True)
    with Image.open(picture) as shown:
        # Among black and white, the orange of our own motion curve and the green border of the input picture.
        colours = {colour for _, colour in shown.convert("RGB").getcolors(maxcolors=2**24)}
    assert {(0xF2, 0x8C, 0x1B), (0x2A, 0x9D, 0x4A)} <= colours
    dom = subprocess.run([*command, "--dump-dom", page], check=True, timeout=120, capture_output=True, text=True).stdout
    assert dom.count("<video") == 9
