"""`s2v generate --pairs --local`: one bad pair costs only itself, and the same command makes what is missing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.pairs import read_results, write_pairs

from s2v_ray.cli.main import main
from s2v_ray.errors import UserError
from s2v_ray.generation.video import Options, load_generator
from s2v_ray.recipes.generate import PairResult, PairTask, make_here, make_pairs, plan_pairs


def generate(run, table, out, *flags: str) -> int:
    return main(["generate", "--checkpoint", str(run), "--pairs", str(table), "--out", str(out), "--local", *flags])


def times(out: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in out.glob("*.mp4")}


@pytest.fixture
def table(tmp_path):
    return write_pairs(tmp_path, ["one", "two", "three"])


def test_a_bad_pair_is_a_row_and_the_same_command_makes_what_is_missing(small_run, table, tmp_path, capsys):
    out, folder = tmp_path / "videos", table.parent
    sound = (folder / "two.wav").read_bytes()
    (folder / "two.wav").write_text("Dear all")
    assert generate(small_run, table, out) == 3
    assert "1 of 3 pairs failed (1 unreadable)" in capsys.readouterr().err
    rows = read_results(out)
    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        "one": ("made", ""),
        "two": ("failed", "unreadable"),
        "three": ("made", ""),
    }
    assert "two.wav" in rows["two"]["detail"]
    assert (rows["one"]["frames"], rows["one"]["seconds"]) == ("8", "0.32")
    first = times(out)
    assert first.keys() == {"one", "three"}

    alone = tmp_path / "alone.mp4"
    inputs = ["--image", str(folder / "one.png"), "--sound", str(folder / "one.wav")]
    assert main(["generate", "--checkpoint", str(small_run), *inputs, "--out", str(alone)]) == 0
    assert (out / "one.mp4").read_bytes() == alone.read_bytes()

    (folder / "two.wav").write_bytes(sound)
    assert generate(small_run, table, out) == 0
    second = times(out)
    assert second.keys() == {"one", "two", "three"}
    assert {name: second[name] for name in first} == first
    assert {row["status"] for row in read_results(out).values()} == {"made"}


def test_what_changed_or_is_not_whole_is_made_anew_and_nothing_else(small_run, table, tmp_path):
    out = tmp_path / "videos"
    assert generate(small_run, table, out) == 0
    before = times(out)
    (out / "_pairs" / "one.json").unlink()  # as if it had been killed between the video and its record
    table.write_text(table.read_text().replace("two,\n", "two,2\n"))
    assert generate(small_run, table, out) == 0
    after = times(out)
    assert {name for name in after if after[name] == before[name]} == {"three"}


def test_a_row_that_can_not_be_made_any_more_leaves_no_earlier_video(small_run, table, tmp_path):
    out = tmp_path / "videos"
    assert generate(small_run, table, out) == 0
    (table.parent / "one.png").unlink()
    assert generate(small_run, table, out) == 3
    assert times(out).keys() == {"two", "three"}
    assert read_results(out)["one"]["reason"] == "not_found"


def test_what_was_made_before_a_stop_is_in_the_results_and_stays(small_run, table, tmp_path):
    out = tmp_path / "videos"
    planned = plan_pairs(str(table), str(small_run), str(out), Options())
    generator = load_generator(planned.checkpoint, torch.device("cpu"))

    def stopped(tasks: Sequence[PairTask]) -> Iterator[PairResult]:
        yield from make_here(generator, tasks[:1])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pairs(planned, stopped)
    assert [row["status"] for row in read_results(out).values()] == ["made", "waiting", "waiting"]
    first = times(out)
    # A process that has planned before this one began, with other settings.
    other = replace(planned, settings={**planned.settings, "strength": 2.0})
    with pytest.raises(UserError, match="another strength"):
        make_pairs(other, stopped)
    assert generate(small_run, table, out) == 0
    assert times(out).items() > first.items()
    assert generate(small_run, table, out, "--device", "cuda") == 0  # nothing is left that needs it


def test_another_checkpoint_or_setting_needs_another_folder(small_run, table, tmp_path, capsys):
    out = tmp_path / "videos"
    assert generate(small_run, table, out) == 0
    before = times(out)
    capsys.readouterr()
    assert generate(small_run, table, out, "--strength", "2") == 1
    assert "another strength" in capsys.readouterr().err
    other = tmp_path / "other"
    inputs = ["--checkpoint", str(small_run), "--pairs", str(table), "--local"]
    for name, where in (("of a run", small_run), ("with somebody's video", other)):
        if where == other:
            other.mkdir()
            (other / "two.mp4").write_text("mine")
        assert main(["generate", *inputs, "--out", str(where)]) == 1, name
        assert "[foreign_folder]" in capsys.readouterr().err
    assert (other / "two.mp4").read_text() == "mine"
    assert times(out) == before


def test_a_video_that_would_be_replaced_is_no_input(small_run, table, tmp_path, capsys):
    out = tmp_path / "videos"
    assert generate(small_run, table, out) == 0
    (tmp_path / "link.mp4").symlink_to(out / "one.mp4")
    table.write_text(table.read_text().replace("two.wav", "link.mp4"))
    assert generate(small_run, table, out) == 1
    assert "[output_is_input]" in capsys.readouterr().err


def test_one_pair_and_a_table_exclude_each_other(small_run, table, capsys):
    base = ["generate", "--checkpoint", str(small_run), "--out", "x"]
    for flags, code in (
        (["--pairs", str(table), "--image", "a.png"], "bad_flags"),
        (["--image", "a.png"], "missing_flag"),
        (["--image", "a.png", "--sound", "a.wav", "--local"], "bad_flags"),
        (["--pairs", str(table), "--local", "--workers", "2"], "bad_flags"),
    ):
        assert main([*base, *flags]) == 2
        assert f"[{code}]" in capsys.readouterr().err
