"""The report's page: whole, safe, and readable in a browser without network."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from s2v_ray.cli.main import main
from s2v_ray.evaluation.report.examples import choose_examples
from s2v_ray.evaluation.report.page import headline, report_page
from s2v_ray.evaluation.report.schema import Counts, Report
from s2v_ray.evaluation.scores import ClipScores, Score


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
    for text in ("motion correlation", "shifted sound", "The sync classifier", "generator_lr", "The clips"):
        assert text in page


@pytest.fixture(scope="module")
def report(report_folder) -> Report:
    return Report.from_json((report_folder / "report.json").read_text())


def test_a_report_comes_back_from_its_file(report, report_folder):
    text = (report_folder / "report.json").read_text()
    assert report.to_json() == text
    assert report.score("l1", "real video").mean == 0
    assert "windows" not in text  # only of FVD


def test_names_from_strangers_are_shown_and_not_run(report, report_folder):
    bad = "<script>alert(1)</script>.mp4"
    examples = {name: replace(clip, source=bad) for name, clip in report.examples.items()}
    page = report_page(replace(report, checkpoint=bad, examples=examples), report_folder)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 1 + len(examples)


def test_examples_are_chosen_by_their_score():
    values = (0.2, 0.9, None, 0.5, 0.4)
    clips = [ClipScores("a", "id", {"model": {"motion_correlation": value}}, 0.0) for value in values]
    assert choose_examples(clips) == {"best": 1, "median": 4, "worst": 2}
    assert choose_examples(clips[:1]) == {"median": 0}


@pytest.mark.parametrize(
    ("low", "lag", "expected"), [(0.4, 0.3, "the gap is 0.60"), (-0.1, -7.0, "7.0 frames too early")]
)
def test_the_headline_says_what_the_scores_say(report, low, lag, expected):
    def score(mean: float, low: float = 0.0) -> Score:
        return Score(mean, low, 1.0, 9)

    scores = {
        "motion_correlation": {"model": score(0.6), "mismatched sound": score(0.0)},
        "matched_minus_mismatched": {"model": score(0.6, low)},
        "motion_explained": {"model": None},
        "lag_frames": {"model": score(lag)},
        "appearance_error": {"model": None},
    }
    sentences = " ".join(headline(replace(report, scores=scores, counts=Counts(sources=9, clips=9))))
    assert expected in sentences
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
