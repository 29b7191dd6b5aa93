"""Splits: blocks of one video's time, what is recorded stays, and no split is empty where it need not be."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.small import QUICK, SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.dataset.index import read_records, write_record
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.dataset.records import SourceRecord, held_out
from s2v_ray.dataset.settings import ClipSettings, clip_settings
from s2v_ray.errors import UserError
from s2v_ray.preparation.blocks import Block, time_blocks
from s2v_ray.preparation.empty_splits import fill_empty_splits
from s2v_ray.preparation.plan import plan
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.split_plan import SplitPlan, plan_splits
from s2v_ray.preparation.windows import covering_starts
from s2v_ray.recipes.prepare import prepare_clips, run_here
from s2v_ray.synthetic.write import synthesize

SETTINGS = clip_settings(clip_seconds=2, seed=1)


def seconds_of(blocks: list[Block], split: str) -> float:
    return float(sum(block.end - block.start for block in blocks if block.split == split))


@pytest.mark.parametrize("length", [8, 12, 20, 45, 60, 100, 600, 3599.9])
def test_blocks_are_a_second_apart_and_hold_out_a_tenth_each(length):
    start, end = Fraction(1, 3), Fraction(1, 3) + Fraction(str(length))
    blocks = time_blocks("a.mp4", start, end, SETTINGS)
    assert start <= blocks[0].start
    assert blocks[-1].end <= end
    assert all(later.start - earlier.end == 1 for earlier, later in pairwise(blocks))
    assert all(earlier.split != later.split for earlier, later in pairwise(blocks))
    assert all(block.end - block.start >= SETTINGS.seconds for block in blocks)
    for split in ("val", "test"):
        assert seconds_of(blocks, split) == pytest.approx(max(2, length / 10), rel=0.02, abs=0.3)
    # Nothing is lost but the gaps, and less than a frame a block.
    assert sum(seconds_of(blocks, split) for split in ("train", "val", "test")) == pytest.approx(
        length - (len(blocks) - 1), abs=len(blocks) / 30 + 0.05
    )
    assert blocks == time_blocks("a.mp4", start, end, SETTINGS)


def test_a_long_video_has_blocks_all_over_it_and_a_short_one_none():
    blocks = time_blocks("a.mp4", Fraction(0), Fraction(600), SETTINGS)
    for split in ("val", "test"):
        starts = [float(block.start) for block in blocks if block.split == split]
        assert len(starts) == 15  # of four seconds each
        assert max(np.diff([0, *starts, 600])) < 100
    assert blocks != time_blocks("b.mp4", Fraction(0), Fraction(600), SETTINGS)
    assert blocks != time_blocks("a.mp4", Fraction(0), Fraction(600), replace(SETTINGS, seed=2))
    # Three clips of two seconds and two gaps need eight.
    assert len(time_blocks("a.mp4", Fraction(0), Fraction(8), SETTINGS)) == 3
    assert time_blocks("a.mp4", Fraction(0), Fraction(799, 100), SETTINGS) == []


def test_random_windows_cover_each_block_about_twice_and_never_leave_it():
    blocks = [Block("train", Fraction(0), Fraction(30)), Block("test", Fraction(31), Fraction(37))]
    splits = covering_starts("a.mp4", blocks, SETTINGS)
    counts = {split: list(splits.values()).count(split) for split in ("train", "test")}
    assert counts == {"train": 30, "test": 6}  # twice the seconds over two
    assert list(splits) == sorted(splits)
    for start, split in splits.items():
        block = next(block for block in blocks if block.split == split)
        assert block.start <= start <= block.end - 2
    train = [float(start) for start, split in splits.items() if split == "train"]
    assert max(np.diff(train)) < 2  # so that no moment is missed
    more = covering_starts("a.mp4", blocks, replace(SETTINGS, clips_per_source=72))
    assert list(more.values()).count("train") == 57  # 28 s of starts, half a second apart
    sliding = covering_starts("a.mp4", blocks, replace(SETTINGS, stride_seconds=2.0))
    assert [float(start) for start, split in sliding.items() if split == "test"] == [31, 33, 35]


def planned(sources: list[Source], lengths: dict[str, float], split_by: str = "auto", **options: Any) -> SplitPlan:
    options = {"records": {}, "stored": {}, "assigned": {}} | options
    return plan_splits(sources, lengths, split_by=split_by, least_seconds=8, **options)


def files(*names: str, **options: Any) -> list[Source]:
    return [Source(f"/videos/{name}", name, group=name, **options) for name in names]


def test_auto_is_by_time_below_five_videos_that_can_be_used():
    four, five = files("a", "b", "c", "d"), files("a", "b", "c", "d", "e")
    lengths = dict.fromkeys("abcde", 100.0)
    assert planned(four, lengths).split_by == "time"
    assert planned(five, lengths).split_by == "source"
    assert planned(five, dict.fromkeys("abcd", 100.0)).split_by == "time"
    assert planned(four, lengths, "source").split_by == "source"
    assert planned(five, lengths, "time").in_blocks == set("abcde")
    with pytest.raises(UserError) as error:
        planned(five, lengths, "clip")
    assert error.value.code == "wrong_split_by"


def test_by_time_short_videos_are_whole_and_in_all_splits():
    plan_ = planned(files("a", "b", "c", "long"), {"a": 3.0, "b": 3.0, "c": 3.0, "long": 60.0}, "time")
    assert plan_.in_blocks == {"long"}
    assert sorted(plan_.splits[name] for name in "abc") == ["test", "train", "val"]


def test_grid_is_split_by_speaker_or_by_sentence():
    sentences = [
        Source(f"/grid/s1/{number}.mpg", f"s1/{number}.mpg", group="s1", file_of_speaker=f"s1/{number}.mpg")
        for number in range(10)
    ]
    lengths = {source.name: 3.0 for source in sentences}
    assert set(planned(sentences, lengths, "source").splits.values()) <= {"train", "val", "test"}
    assert len(set(planned(sentences, lengths, "source").splits.values())) == 1
    by_time = planned(sentences, lengths)
    assert by_time.split_by == "time"
    assert sorted(by_time.splits.values()) == ["test"] + ["train"] * 8 + ["val"]


def test_cuts_that_may_show_the_same_moments_are_one_unit():
    cuts = [Source(f"/v/take_{number}.mp4", f"take_{number}.mp4", group="take") for number in range(3)]
    plan_ = planned(cuts, {source.name: 60.0 for source in cuts})
    assert (plan_.in_blocks, len(set(plan_.splits.values()))) == (set(), 1)

    def part(start: float, end: float) -> Source:
        return Source("/v/a.mp4", f"a.mp4@{start}-{end}", Fraction(start), Fraction(end), group="a.mp4")

    near = [part(0, 30), part(30.5, 60), part(61.5, 90)]  # half a second, and a second apart
    plan_ = planned(near, {source.name: 28.0 for source in near})
    assert plan_.in_blocks == {near[2].name}
    assert plan_.splits[near[0].name] == plan_.splits[near[1].name]


def test_new_parts_that_may_show_recorded_moments_share_their_split():
    def part(start: int, end: int, split: str = "") -> Source:
        name = f"a.mp4@{start}.000-{end}.000"
        return Source("/v/a.mp4", name, Fraction(start), Fraction(end), group="a.mp4", split=split)

    def record(source: Source, *splits: str) -> dict[str, SourceRecord]:
        one = SourceRecord(source.name, source.path, (), "", False, 0, (), group=source.group, unit=source.name)
        return {source.name: one.with_clips(dict.fromkeys(splits, 3))}

    whole = Source("/v/a.mp4", "a.mp4", group="a.mp4")
    lengths = dict.fromkeys(("a.mp4@10.000-30.000", "a.mp4@21.000-41.000", "a.mp4@29.000-49.000"), 20.0)
    for split in ("train", "val", "test"):
        records = record(part(0, 20), split)
        # Given again or not; the last overlaps only the second, which must be in the split of the first.
        for sources in ([part(0, 20), part(10, 30)], [part(10, 30)], [part(10, 30), part(29, 49)]):
            plan_ = planned(sources, lengths, "time", records=records)
            assert set(plan_.splits.values()) == {split}
            assert plan_.units["a.mp4@10.000-30.000"] == "a.mp4@0.000-20.000"
            assert (plan_.in_blocks, plan_.planned) == (set(), {})
        assert planned([part(21, 41)], lengths, "time", records=records).in_blocks == {"a.mp4@21.000-41.000"}
    blocks = {**record(whole, "train", "val", "test"), **record(part(0, 20), "train", "test")}
    for source, name in ((part(10, 40), "a.mp4"), (whole, "a.mp4@0.000-20.000"), (part(20, 41), "a.mp4@0.000-20.000")):
        with pytest.raises(UserError) as error:
            planned([source], {source.name: 30.0}, "time", records={name: blocks[name]})
        assert error.value.code == "two_splits"
        assert name in str(error.value)
    # Splits that come with the data hold, side by side, but not for the same moments.
    given = planned([part(20, 30, "val")], {}, "time", records=record(part(0, 20), "train"))
    assert given.splits == {"a.mp4@20.000-30.000": "val"}
    with pytest.raises(UserError):
        planned([part(19, 30, "val")], {}, "time", records=record(part(0, 20), "train"))
    # By source, all parts of a file are one unit anyway.
    assert planned([part(10, 30)], lengths, "source", records=record(part(0, 20), "val")).splits


def test_another_cut_of_a_recorded_video_shares_its_split():
    record = SourceRecord("take_1.mp4", "/v/take_1.mp4", (), "test", False, 3, (), group="take", unit="take")
    new = Source("/v/take_2.mp4", "take_2.mp4", group="take")
    plan_ = planned([new], {"take_2.mp4": 60.0}, "time", records={"take_1.mp4": record})
    assert (plan_.splits, plan_.in_blocks) == ({"take_2.mp4": "test"}, set())


def prepare(videos: Path, out: Path, *flags: str) -> dict[str, Any]:
    assert main(["prepare", "--videos", str(videos), "--out", str(out), "--local", *SMALL_CLIPS, *QUICK, *flags]) == 0
    content: dict[str, Any] = json.loads((out / "dataset.json").read_text())
    return content


@pytest.fixture(scope="module")
def one_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one video of twelve seconds."""
    folder = tmp_path_factory.mktemp("one")
    synthesize("sea", folder, sources=1, seed=9, seconds=12.0, size=48)
    return folder


def moments(out: Path, split: str) -> list[float]:
    clips = ClipReader(str(out), split)
    return sorted(clips[number].start_seconds for number in range(len(clips)))


def test_one_video_is_a_data_set(tmp_path, one_video, capsys):
    out = tmp_path / "clips"
    content = prepare(one_video, out)
    printed = capsys.readouterr().out
    assert "Splitting by time since there are fewer than five videos" in printed
    assert "val and test hold unseen moments of seen videos" in printed
    assert (content["split_by"], content["held_out"]) == ("time", "unseen moments of seen videos")
    counts = content["counts"]
    assert {split: counts["splits"][split]["sources"] for split in ("train", "val", "test")} == dict.fromkeys(
        ("train", "val", "test"), 1
    )
    windows = counts["clips"] + sum(counts["rejected"].values())
    assert windows == pytest.approx(2 * (12 - 4) / 0.8, abs=2)  # four gaps
    by_split = {split: moments(out, split) for split in ("train", "val", "test")}
    for split, own in by_split.items():
        others = [start for other, starts in by_split.items() if other != split for start in starts]
        assert min(abs(start - other) for start in own for other in others) >= 0.8 + 1 - 1e-6
    card = (out / "card.md").read_text()
    assert "unseen moments of seen videos" in card
    assert "4 seconds are not used" in card

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert prepare(one_video, out) == content
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before
    next(out.glob("split=val/*.parquet")).unlink()
    prepare(one_video, out)
    assert by_split == {split: moments(out, split) for split in ("train", "val", "test")}


def test_adding_to_a_data_set_keeps_how_it_is_split(tmp_path, one_video, small_videos, capsys):
    videos, out = tmp_path / "videos", tmp_path / "clips"
    shutil.copytree(one_video, videos / "long")
    prepare(videos, out)
    shutil.copytree(small_videos, videos / "short")
    content = prepare(videos, out)
    assert content["split_by"] == "time"  # though there are seven now
    assert content["counts"]["splits"]["val"]["sources"] == content["counts"]["splits"]["test"]["sources"] == 2
    command = ["prepare", "--videos", str(videos), "--out", str(out), "--local", *SMALL_CLIPS, *QUICK]
    capsys.readouterr()
    assert main([*command, "--split-by", "source"]) == 1
    assert "'source'" in capsys.readouterr().err


def test_copies_of_a_video_that_is_split_by_time_are_left_out(tmp_path, one_video):
    videos = tmp_path / "videos"
    shutil.copytree(one_video, videos)
    path = next(videos.iterdir())
    shutil.copy(path, videos / f"another_{path.name}")
    counts = prepare(videos, tmp_path / "clips")["counts"]
    assert (counts["sources"], counts["rejected"]["duplicate"]) == (1, 1)


def test_parts_of_one_file_in_different_splits_are_cut_apart(tmp_path, one_video):
    (path,) = one_video.iterdir()
    rows = [f"{path},0,6,train", f"{path},6,8.5,val", f"{path},8.5,12,test"]
    manifest, out = tmp_path / "list.csv", tmp_path / "clips"
    manifest.write_text("\n".join(["path,start,end,split", *rows]))
    flags = ["--manifest", str(manifest), "--domain", "sea", "--out", str(out), "--local", *SMALL_CLIPS, *QUICK]
    assert main(["prepare", *flags]) == 0
    content = json.loads((out / "dataset.json").read_text())
    assert content["held_out"] == "unseen moments of seen videos"
    assert "duplicate" not in content["counts"]["rejected"]
    for split, start, end in (("train", 0, 6), ("val", 6, 8.5), ("test", 8.5, 12)):
        own = moments(out, split)
        assert own
        assert start - 1e-6 <= own[0]
        assert own[-1] + 0.8 <= end + 1e-6


def test_sources_that_turn_out_useless_leave_no_split_empty(tmp_path, small_videos):
    # As if all of val and test crashed: two of the four others take their places.
    asked = [str(small_videos)], str(tmp_path / "clips"), "sea", small_settings()
    planned_ = plan(*asked)

    def crashing(work, tasks):
        return run_here(work, [task for task in tasks if task.split == "train"])

    info, _ = prepare_clips(planned_, crashing)
    assert {split: counts.sources for split, counts in info.split_counts.items()} == {"train": 2, "val": 1, "test": 1}
    for record in read_records(planned_.out).values():
        found = [path.parent.name for path in Path(planned_.out).glob(f"split=*/{Source('', record.source).key}.*")]
        assert found == ([f"split={record.split}"] if record.clips else [])
    # What crashed comes back, and what has a split keeps it.
    before = {record.source: record.split for record in read_records(planned_.out).values() if record.clips}
    again, _ = prepare_clips(plan(*asked), run_here)
    after = {record.source: record.split for record in read_records(planned_.out).values()}
    assert before.items() <= after.items()
    assert {split: counts.sources for split, counts in again.split_counts.items()} == {"train": 4, "val": 1, "test": 1}


def test_a_source_that_is_tried_again_is_cut_into_blocks_as_a_new_one(tmp_path, one_video):
    asked = [str(one_video)], str(tmp_path / "clips"), "sea", small_settings()
    prepare_clips(plan(*asked), lambda work, tasks: [])  # as if its processes crashed
    (task,) = plan(*asked).tasks
    assert task.in_blocks
    prepare_clips(plan(*asked), run_here)
    (record,) = read_records(str(tmp_path / "clips")).values()
    assert set(record.split_clips) == {"train", "val", "test"}


def small_settings() -> ClipSettings:
    small = {"clip_seconds": 0.8, "frame_rate": "25", "sample_rate": 8000, "stored_size": 36}
    return clip_settings(**small, crop="centre", stabilize="off")


def test_only_what_this_run_prepared_and_nobody_placed_is_moved(tmp_path):
    out = str(tmp_path)
    placed = {"old": False, "given": True, "copy": False, "new": False, "twin": False}
    for name, given in placed.items():
        one = SourceRecord(name, f"/{name}", (), "train", given, 3, (), unit=name, first=name)
        one = replace(one, first="old") if name == "copy" else replace(one, first="new") if name == "twin" else one
        write_record(out, Source("", name).key, one)
        path = tmp_path / "split=train" / f"{Source('', name).key}.parquet"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    moved = fill_empty_splits(out, {"copy", "new", "twin"})
    # Three lots in train: the old one with its copy, the given one, and the new one with its twin.
    assert moved == {"new": "test", "twin": "test"}
    assert {name: one.split for name, one in read_records(out).items()} == {
        "old": "train", "given": "train", "copy": "train", "new": "test", "twin": "test",
    }  # fmt: skip


def test_what_is_held_out_is_said_in_words():
    def one(path: str, split: str, group: str) -> SourceRecord:
        return SourceRecord(path, path, (), split, False, 3, (), group=group)

    blocks = replace(one("a", "", "a"), clips_by_split={"train": 2, "test": 1})
    assert held_out([blocks]) == "unseen moments of seen videos"
    assert held_out([one("a", "train", "s1"), one("b", "test", "s1")]) == "unseen videos of seen speakers"
    assert held_out([one("a", "train", "a"), one("b", "test", "b")]) == "unseen videos"
    assert SourceRecord.from_json(json.loads(json.dumps(blocks.to_json()))) == blocks
