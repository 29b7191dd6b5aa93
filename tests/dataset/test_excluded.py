"""Excluding a source: nothing reads it, its clips stay, and it can be included again."""

import json
import shutil
from pathlib import Path

import pytest
from helpers.small import SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.dataset.excluded import read_excluded
from s2v_ray.dataset.index import read_dataset, read_records
from s2v_ray.dataset.reader import ClipReader, card_columns
from s2v_ray.errors import UserError
from s2v_ray.recipes.exclude import exclude
from s2v_ray.storage.lock import lock


@pytest.fixture
def clips(small_clips, tmp_path) -> Path:
    return Path(shutil.copytree(small_clips, tmp_path / "clips"))


@pytest.fixture
def source(clips) -> str:
    return ClipReader(clips, "train").sources[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".png"}


def test_no_reader_has_its_clips_and_the_counts_say_so(clips, source, capsys):
    before, all_clips = read_dataset(clips), ClipReader(clips, "train")
    own = all_clips.sources.count(source)
    exclude(str(clips), source, excluded=True)
    reader = ClipReader(clips, "train")
    assert source not in reader.sources
    assert len(reader) == len(all_clips) - own
    assert ClipReader(clips, "train", with_excluded=True).sources == all_clips.sources
    after = read_dataset(clips)
    assert (after.counts.clips, after.split_counts["train"].clips) == (before.counts.clips - own, len(reader))
    assert (after.excluded.sources, after.excluded.clips) == (1, own)
    assert {len(values) for values in card_columns(str(clips)).values()} == {after.counts.clips}
    assert source in (clips / "card.md").read_text()
    assert main(["info", str(clips)]) == 0
    assert f"Excluded by hand: sources 1, clips {own};" in capsys.readouterr().out


def test_including_it_again_restores_every_file(clips, source):
    before = contents(clips)
    exclude(str(clips), source, excluded=True)
    assert contents(clips) != before
    exclude(str(clips), source, excluded=False)
    assert contents(clips) == before
    assert not (clips / "excluded.json").exists()


def test_preparing_again_does_not_undo_it(clips, source, small_videos):
    exclude(str(clips), source, excluded=True)
    described = read_dataset(clips)
    assert main(["prepare", "--videos", str(small_videos), "--out", str(clips), "--local", *SMALL_CLIPS]) == 0
    assert read_excluded(clips) == {source}
    assert read_dataset(clips) == described


def test_a_run_resumes_only_with_the_clips_that_it_was_trained_on(
    clips, source, small_run, small_model, tmp_path, capsys
):
    run = shutil.copytree(small_run, tmp_path / "run")
    train = ["train", "--clips", str(clips), "--out", str(run), "--config", str(small_model), "--steps", "9"]
    exclude(str(clips), source, excluded=True)
    assert main(train) == 1
    assert "[other_clips]" in capsys.readouterr().err
    exclude(str(clips), source, excluded=False)
    assert main(train) == 0


def test_what_is_no_source_and_a_data_set_in_use_are_refused(clips, source):
    with pytest.raises(UserError) as error:
        exclude(str(clips), "nobody.mp4", excluded=True)
    assert error.value.code == "unknown_source"
    with lock(clips, clips), pytest.raises(UserError) as error:
        exclude(str(clips), source, excluded=True)
    assert error.value.code == "locked"
    assert not read_excluded(clips)
    assert source in read_records(clips)


@pytest.mark.parametrize("text", ["", "[]", '{"sources": "a.mp4"}', '{"sources": [1]}', json.dumps({"sources": None})])
def test_a_damaged_list_is_refused(clips, text):
    (clips / "excluded.json").write_text(text)
    with pytest.raises(UserError) as error:
        ClipReader(clips, "train")
    assert error.value.code == "damaged_clips"
