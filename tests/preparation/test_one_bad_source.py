"""Whatever one source raises, at any stage, is its reject, and all others are prepared."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.small import SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.errors import UserError
from s2v_ray.preparation import plan, prepare, scene_search, survey
from s2v_ray.preparation.source_file import source_faults
from s2v_ray.preparation.sources.source import Source

# Each where a stage begins: the module that calls it, and its name there.
STAGES = [
    (survey, "probe"),
    (plan, "source_windows"),
    (scene_search, "scan_motion"),
    (prepare, "probe"),
    (prepare, "source_windows"),
    (prepare, "find_framing"),
    (prepare, "sound_fingerprint"),
    (prepare, "framed_windows"),
    (prepare, "measure_window"),
    (prepare, "rejection_reason"),
    (prepare, "clip_row"),
    (prepare, "_write_clips"),
]


def failing_once(function: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """`function`, whose first call raises `error`."""
    calls = []

    def failing(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise error
        return function(*args, **kwargs)

    return failing


@pytest.fixture
def two_videos(small_videos: Path, tmp_path: Path) -> Path:
    """The first two of the small videos."""
    (tmp_path / "videos").mkdir()
    for video in sorted(small_videos.glob("*.mp4"))[:2]:
        shutil.copy(video, tmp_path / "videos")
    return tmp_path / "videos"


def prepare_all(videos: Path, out: Path, *flags: str) -> int:
    flags = ("--clips-per-source", "1", "--stabilize", "off", *flags)
    return main(["prepare", "--videos", str(videos), "--out", str(out), "--local", *SMALL_CLIPS, *flags])


@pytest.mark.parametrize(("module", "name"), STAGES, ids=[f"{m.__name__.split('.')[-1]}.{n}" for m, n in STAGES])
def test_what_one_source_raises_is_its_reject(
    module: Any, name: str, two_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, failing_once(getattr(module, name), ZeroDivisionError("by injection")))
    crop = "auto" if module in (plan, scene_search) else "centre"  # only then are scenes looked for
    assert prepare_all(two_videos, tmp_path / "clips", "--crop", crop) == 0
    dataset = json.loads((tmp_path / "clips" / "dataset.json").read_text())
    failed = [json.loads(line) for line in (tmp_path / "clips" / "rejects.jsonl").read_text().splitlines()]
    failed = [reject for reject in failed if reject["reason"] == "failed"]
    # What the plan looks at is tried again when the source is prepared, and works then.
    assert len(failed) == (1 if module is prepare else 0)
    assert dataset["counts"]["sources"] == 2 - len(failed)
    assert all("ZeroDivisionError: by injection" in reject["detail"] for reject in failed)
    assert all(reject["start_seconds"] is None for reject in failed)

    monkeypatch.undo()  # the same command tries it again
    assert prepare_all(two_videos, tmp_path / "clips", "--crop", crop) == 0
    assert json.loads((tmp_path / "clips" / "dataset.json").read_text())["counts"]["sources"] == 2


def test_a_preview_says_what_failed(two_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "find_framing", failing_once(prepare.find_framing, ZeroDivisionError("injected")))
    assert prepare_all(two_videos, tmp_path / "clips", "--preview") == 0
    assert len(list((tmp_path / "clips" / "preview").iterdir())) == 2


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), MemoryError(), KeyboardInterrupt()], ids=repr
)
def test_what_concerns_the_whole_job_ends_it(
    error: BaseException, two_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "_write_clips", failing_once(prepare._write_clips, error))
    ended = 0
    try:
        ended = prepare_all(two_videos, tmp_path / "clips")
    except (MemoryError, KeyboardInterrupt, OSError):
        ended = 1
    assert ended
    assert (
        not (tmp_path / "clips" / "dataset.json").exists()
        or not json.loads((tmp_path / "clips" / "dataset.json").read_text())["complete"]
    )


@pytest.mark.parametrize("error", [OSError(errno.EROFS, "Read-only"), UserError("store_unavailable", "No answer.")])
def test_errors_of_the_place_for_the_clips_pass_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, source_faults(Source("/a.mp4", "a.mp4")):
        raise error
    assert caught.value is error
