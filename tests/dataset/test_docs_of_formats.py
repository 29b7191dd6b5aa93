"""The Python in docs/clips.md and docs/data-formats.md runs as it stands there, and gives what our own reader gives."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2v_ray.cli.main import main
from s2v_ray.dataset.reader import ClipReader

DOCS = Path(__file__).parents[2] / "docs"


def snippet(page: str, section: str) -> str:
    """The code below a heading of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^##+ {re.escape(section)}\n.*?^```python\n(.*?)^```", text, re.S | re.M)
    assert found, f"{page} has no code below '{section}'"
    return found[1]


@pytest.fixture
def ours(small_clips, tmp_path, monkeypatch) -> ClipReader:
    (tmp_path / "clips").mkdir()
    for name in ("mine", "sea"):
        (tmp_path / "clips" / name).symlink_to(small_clips)
    monkeypatch.chdir(tmp_path)
    return ClipReader(small_clips, "train")


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "docs", "exec"), names)
    return names


def test_pyarrow(ours):
    names = run(snippet("clips.md", "pyarrow"))
    assert np.array_equal(names["frames"], ours[0].frames_THWC)
    assert np.array_equal(names["wave"], ours[0].wave)


def test_duckdb(ours):
    rows = run(snippet("clips.md", "DuckDB"))["per_source"]
    assert {row[0] for row in rows} == {"train", "val", "test"}
    assert sum(row[2] for row in rows if row[0] == "train") == len(ours)
    assert {row[1] for row in rows if row[0] == "train"} == set(ours.sources)


def test_pandas(ours):
    names = run(snippet("clips.md", "pandas"))
    assert list(names["table"]["clip_id"]) == [ours[index].clip_id for index in range(len(ours))]
    assert np.array_equal(names["first"], ours[0].frames_THWC.ravel())


@pytest.mark.ray
def test_ray_data(ours, ray_cluster):
    rows = run(snippet("clips.md", "Ray Data"))["rows"]
    expected = {clip.clip_id: clip.frames_THWC.mean() for clip in map(ours.__getitem__, range(len(ours)))}
    assert {row["clip_id"]: row["brightness"] for row in rows} == pytest.approx(expected)


def test_our_reader(ours):
    assert run(snippet("clips.md", "s2v's own reader"))["clip"].clip_id == ours[0].clip_id


def test_webdataset_and_lance(ours):
    commands = re.findall(r"^    s2v (convert .*)$", (DOCS / "data-formats.md").read_text(encoding="utf-8"), re.M)
    assert [main(command.split()) for command in commands] == [0, 0]
    text = (DOCS / "data-formats.md").read_text(encoding="utf-8")
    first, second = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    frames = [ours[index].frames_THWC for index in range(len(ours))]
    last = run(first)["frames"]
    assert any(np.array_equal(last, each) for each in frames)
    assert np.array_equal(run(second)["frames"], frames[0])


def test_every_snippet_of_the_page_is_run():
    page = (DOCS / "clips.md").read_text(encoding="utf-8")
    assert page.count("```python") == 5
