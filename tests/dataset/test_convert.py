"""Clips in other formats: read back by the libraries of these, and compared with our reader's, to the bit."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from helpers.scripting import answer_of

from s2v_ray.cli.main import main
from s2v_ray.dataset.index import exclude_source
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.errors import UserError
from s2v_ray.recipes.convert import convert_clips
from s2v_ray.storage.own_folders import own_names

SPLITS = ("train", "val", "test")


def convert(clips: Path, out: Path, to: str, **options: Any) -> dict[str, int]:
    return convert_clips(str(clips), str(out), to, lambda done, text: None, **options)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


def test_webdataset_reads_the_same_clips(small_clips, tmp_path, capsys):
    assert main(["convert", f"--clips={small_clips}", f"--out={tmp_path / 'out'}", "--to=webdataset", "--json"]) == 0
    answer = answer_of(capsys.readouterr().out, "convert")
    assert answer["counts"] == {"train": 16, "val": 4, "test": 4}
    for split in SPLITS:
        ours = ClipReader(small_clips, split)
        shards = sorted(str(path) for path in (tmp_path / "out").glob(f"{split}-*.tar"))
        samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
        assert [sample["__key__"] for sample in samples] == [ours[index].clip_id for index in range(len(ours))]
        for index, sample in enumerate(samples):
            clip, about = ours[index], sample["json"]
            assert np.array_equal(sample["frames.npy"], clip.frames_THWC)
            assert sample["frames.npy"].dtype == np.uint8
            assert np.array_equal(sample["waveform.npy"], clip.wave)
            assert sample["transforms.npy"].shape == (20, 2, 3)
            assert (about["source"], about["start_seconds"]) == (clip.source, clip.start_seconds)
            assert (about["split"], about["frame_rate"], about["sample_rate"]) == (split, "25", 8000)
            assert {"motion", "loudness_db", "crop_size"} <= about.keys()


def test_lance_has_the_same_columns(small_clips, tmp_path):
    counts = convert(small_clips, tmp_path / "out", "lance")
    for split in SPLITS:
        files = sorted((small_clips / f"split={split}").glob("*.parquet"))
        stored = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
        data_set = lance.dataset(str(tmp_path / "out" / f"{split}.lance"))
        assert data_set.count_rows() == counts[split] == stored.num_rows
        assert data_set.schema.metadata == stored.schema.metadata
        assert data_set.to_table().equals(stored)
        one = data_set.take([counts[split] - 1], columns=["frames"])["frames"][0].as_py()
        assert one == stored["frames"][counts[split] - 1].as_py()


def test_shards_are_the_same_bytes_again_and_a_stop_costs_one(small_clips, tmp_path):
    one = 20 * (36 * 36 * 3 + 320 * 2)  # bytes of a clip
    convert(small_clips, tmp_path / "a", "webdataset", shard_bytes=2 * one)
    count = len(ClipReader(small_clips, "train"))
    names = [name for name in content(tmp_path / "a") if name.startswith("train")]
    assert names == [f"train-{number:06d}.tar" for number in range(-(-count // 2))]
    with tarfile.open(tmp_path / "a/train-000000.tar") as tar:
        assert len(tar.getnames()) == 2 * 4
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / names[-1]).unlink()
    kept = (tmp_path / "b" / names[0]).stat().st_mtime_ns
    described = json.loads((tmp_path / "b/converted.json").read_text())
    (tmp_path / "b/converted.json").write_text(json.dumps({**described, "complete": False}))
    convert(small_clips, tmp_path / "b", "webdataset", shard_bytes=2 * one)
    assert content(tmp_path / "b") == content(tmp_path / "a")
    assert (tmp_path / "b" / names[0]).stat().st_mtime_ns == kept
    assert own_names(content(tmp_path / "b")) == content(tmp_path / "b").keys()


def test_excluded_sources_are_left_out(small_clips, tmp_path):
    clips = tmp_path / "clips"
    shutil.copytree(small_clips, clips)
    source = ClipReader(clips, "train")[0].source
    convert(clips, tmp_path / "before", "webdataset")
    exclude_source(clips, source, excluded=True)
    convert(clips, tmp_path / "out", "webdataset")
    samples = webdataset.WebDataset(str(tmp_path / "out/train-000000.tar"), shardshuffle=False).decode()
    assert source not in {sample["json"]["source"] for sample in samples}
    with pytest.raises(UserError) as error:
        convert(clips, tmp_path / "before", "webdataset")
    assert error.value.code == "other_clips"


def test_what_can_not_be_converted_is_refused(small_clips, tmp_path):
    for clips, out, to, code in (
        (small_clips, "s3://bucket/out", "lance", "local_only"),
        (small_clips, small_clips, "webdataset", "output_is_input"),
        (tmp_path, tmp_path / "out", "webdataset", "no_clips"),
    ):
        with pytest.raises(UserError) as error:
            convert(clips, out, to)
        assert error.value.code == code
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/train-000000.tar").write_bytes(b"of somebody else")  # not taken for what a stopped run wrote
    with pytest.raises(UserError) as error:
        convert(small_clips, tmp_path / "shards", "webdataset")
    assert error.value.code == "other_clips"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/letter.doc").write_text("dear")
    with pytest.raises(UserError) as error:
        convert(small_clips, tmp_path / "notes", "webdataset")
    assert error.value.code == "foreign_folder"


@pytest.mark.parametrize("to", ["webdataset", "lance"])
def test_damaged_clips_leave_no_file_of_their_split(small_clips, tmp_path, to):
    clips = tmp_path / "clips"
    shutil.copytree(small_clips, clips)
    file = sorted((clips / "split=train").glob("*.parquet"))[-1]
    table = pq.ParquetFile(file).read()
    short = pa.array([value.as_py()[:-1] for value in table["frames"]], pa.large_binary())
    pq.write_table(table.set_column(table.schema.get_field_index("frames"), "frames", short), file, row_group_size=1)
    with pytest.raises(UserError) as error:
        convert(clips, tmp_path / "out", to)
    assert error.value.code == "damaged_clips"
    assert [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")] == ["converted.json"]
    assert not [path for path in (tmp_path / "out").iterdir() if "lance" in path.name]
    assert not json.loads((tmp_path / "out/converted.json").read_text())["complete"]
