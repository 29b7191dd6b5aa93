"""Folders of videos with metadata, or called after their splits."""

import json
import shutil

import datasets
from helpers.layouts import VIDEOS, found


def test_a_video_folder_says_what_hugging_face_says(tmp_path):
    root = tmp_path / "root"
    for split, folder, rows in (
        ("train", "train", {"1.mp4": "a gong", "sub/2.mp4": "rain, hail"}),
        ("validation", "validation", {"3.mp4": "a bell"}),
        ("test", "test", {"4.mp4": "a cat"}),
    ):
        for name in rows:
            (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(VIDEOS[0], root / folder / name)
        if split == "train":
            lines = "".join(f'{name},"{text}",3\n' for name, text in rows.items())
            (root / folder / "metadata.csv").write_text(f"file_name,caption,number\n{lines}")
        else:
            lines = "".join(json.dumps({"file_name": name, "caption": text}) + "\n" for name, text in rows.items())
            (root / folder / "metadata.jsonl").write_text(lines)
    sources, rejects = found(root)
    assert rejects == {}
    assert [(source.name, source.split) for source in sources] == [
        ("test/4.mp4", "test"),
        ("train/1.mp4", "train"),
        ("train/sub/2.mp4", "train"),
        ("validation/3.mp4", "val"),
    ]
    assert sources[2].labels == ("train", "sub", "rain, hail", "3")
    names = {"train": "train", "validation": "val", "test": "test"}
    for split in names:
        theirs = datasets.load_dataset("videofolder", data_dir=str(root / split), cache_dir=str(tmp_path / split))
        for row in theirs["train"].cast_column("video", datasets.Video(decode=False)):
            (ours,) = (source for source in sources if source.path == row["video"]["path"])
            assert (ours.split, row["caption"] in ours.labels) == (names[split], True)


def test_metadata_names_only_files_below_it(tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(VIDEOS[0], tmp_path / "in/a.mp4")
    shutil.copy(VIDEOS[0], tmp_path / "secret.mp4")
    names = ["a.mp4", "gone.mp4", "../secret.mp4", "/etc/passwd"]
    (tmp_path / "in/metadata.csv").write_text("file_name\n" + "\n".join(names) + "\n")
    sources, rejects = found(tmp_path / "in")
    assert [source.name for source in sources] == ["a.mp4"]
    assert rejects == {"gone.mp4": "missing", "secret.mp4": "missing", "etc/passwd": "missing"}


def test_folders_of_splits_without_metadata(tmp_path):
    for name in ("train/dog/1.mp4", "train/cat/2.mp4", "valid/dog/3.mp4", "test/dog/4.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(VIDEOS[0], tmp_path / name)
    (tmp_path / "README.md").write_text("No video.")
    assert [source.split for source in found(tmp_path)[0]] == ["", "test", "train", "train", "val"]
    shutil.copy(VIDEOS[0], tmp_path / "other.mp4")
    assert {source.split for source in found(tmp_path)[0]} == {""}  # then they are folders like any
