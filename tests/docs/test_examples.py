"""The examples of docs/python.md run as they stand, and its reference has every name."""

import inspect
import json
import re
import runpy
from pathlib import Path

import av
import pytest

import s2v_ray

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples"


@pytest.fixture
def run_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs an example as a script with arguments; returns what it prints."""

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_generating_a_video(run_example, small_run: Path, small_videos: Path, tmp_path: Path) -> None:
    video = sorted(small_videos.glob("*.mp4"))[0]
    printed = run_example("generate_video.py", small_run, video, video, tmp_path / "a.mp4")
    assert "frames uint8 (40, 48, 48, 3)" in printed
    assert "1.00 seconds from arrays" in printed
    assert frame_count(tmp_path / "a.mp4") == 40


def test_preparing_clips_and_looking_at_them(run_example, small_videos: Path, tmp_path: Path) -> None:
    printed = run_example("prepare_clips.py", small_videos, tmp_path / "clips")
    counts = json.loads((tmp_path / "clips" / "dataset.json").read_text())["counts"]["splits"]
    assert f"train: {counts['train']['clips']} clips of 4 videos" in printed
    assert printed.count(" of 255, loudness 0.") == counts["train"]["clips"]
    assert frame_count(tmp_path / "clips-first-clip.mp4") > 10


def test_training_and_going_on(run_example, small_clips: Path, small_model: Path, tmp_path: Path) -> None:
    printed = run_example("train_and_continue.py", small_clips, tmp_path / "run", small_model, "0.02")
    assert re.search(r"\d+ steps in \d+ s, best validation score 0\.\d+", printed)
    for run in ("run", "run-more"):
        assert s2v_ray.load(tmp_path / run).config.clips.stored_size == 36


def test_reading_scores(run_example, small_clips: Path, small_run: Path, tmp_path: Path) -> None:
    printed = run_example("read_scores.py", small_run, small_clips, tmp_path / "report")
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    correlation = report["scores"]["motion_correlation"]
    assert "4 clips of 1 sources, unseen videos" in printed
    assert f"motion_correlation: {correlation['model']['mean']:.2f}, 95 %" in printed
    assert f"with other clips' sound: {correlation['mismatched sound']['mean']}" in printed
    assert correlation["real video"]["mean"] == pytest.approx(1)


def test_comparing_strengths(run_example, small_run: Path, small_videos: Path, tmp_path: Path) -> None:
    video = sorted(small_videos.glob("*.mp4"))[0]
    printed = run_example("compare_strengths.py", small_run, video, video, tmp_path / "a.mp4")
    changes = [float(change) for change in re.findall(r"frame to frame (\S+) of 255", printed)]
    assert changes[0] == 0  # strength 0 is a still picture
    assert changes == sorted(changes)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (96, 96)


def test_the_page_has_each_name_with_its_arguments_and_each_example() -> None:
    page = (DOCS / "python.md").read_text()
    for name in s2v_ray.__all__:
        assert f"`{name}" in page or f"s2v_ray.{name}" in page, name
    for name in ("prepare", "train", "evaluate", "probe", "tune", "load", "open_clips"):
        section = page.split(f"### `{name}(", 1)[1].split("\n### ", 1)[0]
        for argument in inspect.signature(getattr(s2v_ray, name)).parameters:
            assert f"`{argument}`" in section or f"{argument}" in section.splitlines()[0], (name, argument)
    for method in ("generate", "write"):
        for argument in list(inspect.signature(getattr(s2v_ray.Model, method)).parameters)[1:]:
            assert f"`{argument}`" in page, argument
    for example in EXAMPLES.glob("*.py"):
        assert f"examples/{example.name}" in page
