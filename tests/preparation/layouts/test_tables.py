"""Videos in tables of Hugging Face's `datasets`: Parquet, and what `save_to_disk` writes."""

import shutil
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.layouts import VIDEOS, clips_of, found, hf_dataset, plain_clips
from helpers.videos import MEDIA

from s2v_ray.storage.members import _Rows


def test_a_folder_of_save_to_disk(tmp_path):
    splits = {"train": VIDEOS[:4], "validation": VIDEOS[4:5], "test": VIDEOS[5:]}
    datasets.DatasetDict({split: hf_dataset(videos) for split, videos in splits.items()}).save_to_disk(tmp_path / "hf")
    sources, rejects = found(tmp_path)
    assert rejects == {}
    assert [source.split for source in sources] == ["test", *["train"] * 4, "val"]
    assert sources[1].labels == ("hf", "train", "film 0", "a wave", "sea")
    for source in sources:
        expected = MEDIA / f"demo.{source.name.rpartition('.')[2]}"
        assert clips_of(source) == plain_clips(expected)
    assert [source.name for source in found(tmp_path, select=("rain",))[0]] == [sources[2].name, sources[4].name]


def test_parquet_of_datasets_is_read_row_by_row(tmp_path):
    hf_dataset(VIDEOS).to_parquet(tmp_path / "train-00000-of-00001.parquet", batch_size=4)
    sources, rejects = found(tmp_path)
    assert rejects == {}
    assert [source.name.partition("/")[2] for source in sources] == [
        f"{row:05d}_{video.name}" for row, video in enumerate(VIDEOS)
    ]
    assert {source.split for source in sources} == {""}
    expected = [plain_clips(video) for video in VIDEOS]
    assert [clips_of(source) for source in sources] == expected
    assert [clips_of(source) for source in reversed(sources)] == expected[::-1]  # whatever the order


def test_paths_in_a_table_lead_to_given_files_only(tmp_path):
    folder = tmp_path / "data"
    (folder / "videos").mkdir(parents=True)
    shutil.copy(VIDEOS[0], folder / "videos/a.mp4")
    shutil.copy(VIDEOS[0], folder / "videos/b.mp4")
    shutil.copy(VIDEOS[0], tmp_path / "secret.mp4")
    paths = ["videos/a.mp4", str(folder / "videos/b.mp4"), str(tmp_path / "secret.mp4"), "../secret.mp4", "/etc/passwd"]
    features = datasets.Features({"video": datasets.Video(decode=False)})
    rows = [{"bytes": None, "path": path} for path in [*paths, None]]
    table = pa.table({"video": pa.array(rows, pa.struct({"bytes": pa.binary(), "path": pa.string()}))})
    pq.write_table(table.replace_schema_metadata(features.arrow_schema.metadata), folder / "list.parquet")
    sources, rejects = found(folder)
    assert [source.name for source in sources] == ["videos/a.mp4", "videos/b.mp4"]
    assert rejects == dict.fromkeys(
        [
            *("list.parquet/00002_secret.mp4", "list.parquet/00003_secret.mp4", "list.parquet/00004_passwd"),
            "list.parquet/00005_video",
        ],
        "missing",
    )


def test_a_table_that_lies_costs_only_itself(tmp_path):
    hf_dataset(VIDEOS[:2]).to_parquet(tmp_path / "good.parquet")
    content = (tmp_path / "good.parquet").read_bytes()
    (tmp_path / "half.parquet").write_bytes(content[: len(content) // 2])
    (tmp_path / "no.arrow").write_bytes(b"ARROW1" + bytes(100))
    hf_dataset(VIDEOS[:2]).save_to_disk(tmp_path / "saved")
    arrow = tmp_path / "saved/data-00000-of-00001.arrow"
    arrow.write_bytes(arrow.read_bytes()[:-5000])
    sources, rejects = found(tmp_path)
    assert [source.name for source in sources] == ["good.parquet/00000_demo.mp4", "good.parquet/00001_demo.mkv"]
    assert set(rejects.values()) == {"unreadable"}
    assert rejects.keys() == {"half.parquet", "no.arrow", "saved/data-00000-of-00001.arrow"}


def video_table(path: Path, **columns: list[Any]) -> None:
    """A table that names the video beside it in each row."""
    count = len(next(iter(columns.values())))
    rows = [{"bytes": None, "path": "a.mp4"}] * count
    videos = pa.array(rows, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    pq.write_table(pa.table({"video": videos, **columns}), path)


def test_a_video_of_several_rows_is_one_with_the_labels_of_all(tmp_path):
    shutil.copy(VIDEOS[0], tmp_path / "a.mp4")
    video_table(tmp_path / "captions.parquet", caption=["a wave", "the sea", "x" * 10**6, "a wave"])
    sources, rejects = found(tmp_path)
    assert [(source.name, source.labels) for source in sources] == [("a.mp4", ("a wave", "the sea"))]
    assert rejects == {}


def test_a_video_that_is_named_for_two_splits_is_in_one(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(VIDEOS[0], tmp_path / name)
    video_table(tmp_path / "test.parquet", caption=["a wave"])
    video_table(tmp_path / "train.parquet", caption=["a wave"])
    sources, rejects = found(tmp_path)
    assert [(source.name, source.split) for source in sources] == [("a.mp4", "test"), ("b.mp4", "")]
    assert rejects == {"a.mp4": "two_splits"}


def test_a_table_is_read_again_after_its_file_could_not_be(tmp_path):
    """What fails at an object store is tried again: the videos after it must not seem to be empty."""
    hf_dataset(VIDEOS[:2]).to_parquet(tmp_path / "a.parquet")
    cells = [source.member for source in found(tmp_path)[0]]
    rows = _Rows(cells[0].container, cells[0].column, 0)
    assert rows.value(0).to_pybytes() == VIDEOS[0].read_bytes()
    rows._values = (1 / 0 for _ in range(1))
    with pytest.raises(ZeroDivisionError):
        rows.value(1)
    assert rows.value(1).to_pybytes() == VIDEOS[1].read_bytes()
