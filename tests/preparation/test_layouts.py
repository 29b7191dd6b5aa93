"""Videos in data sets of other formats: found, labelled and split as these say, and cut as the same plain files are."""

import io
import json
import shutil
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from helpers.object_store import ObjectStore
from helpers.small import SMALL_CLIPS
from helpers.videos import MEDIA

from s2v_ray.cli.main import main
from s2v_ray.dataset.records import Reject
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.prepare import source_clips
from s2v_ray.preparation.sources.find import find_sources
from s2v_ray.preparation.sources.source import Source
from s2v_ray.preparation.task_file import TaskFile, write_tasks
from s2v_ray.storage.members import _Rows

SETTINGS = clip_settings(
    clip_seconds=0.4, frame_rate="25", sample_rate=8000, stored_size=16, stride_seconds=0.4, crop="centre",
    stabilize="off",
)  # fmt: skip
VIDEOS = [MEDIA / f"demo.{suffix}" for suffix in ("mp4", "mkv", "ts", "avi", "mpg", "webm")]


def clips_of(source: Source) -> list[tuple[float, bytes, bytes]]:
    """When each clip starts, its frames and its samples."""
    rejects: list[Reject] = []
    rows = list(source_clips(SourceTask(source, "train", "any", "", SETTINGS), rejects))
    # What is measured depends on pixels and samples alone.
    return [(row["start_seconds"][0].as_py(), row["frames"][0].as_py(), row["waveform"][0].as_py()) for row in rows]


@cache
def plain_clips(path: Path) -> list[tuple[float, bytes, bytes]]:
    return clips_of(Source(str(path), path.name))


def found(*locations: Path, **options: Any) -> tuple[list[Source], dict[str, str]]:
    """The sources, and the reasons for what was left out, by name."""
    sources, missing = find_sources([str(location) for location in locations], **options)
    return sources, {reject.source: reject.reason for reject in missing}


def write_shard(path: Path, videos: list[Path], **more: Any) -> None:
    """As people write them: by the library itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path)) as writer:
        for video in videos:
            suffix = video.suffix[1:]
            about = {"json": {"caption": f"the {suffix} film", "width": 64}, "txt": "a drum", "cls": 7}
            writer.write({"__key__": f"clip.{suffix}".replace(".", "_"), suffix: video.read_bytes(), **about, **more})


def test_videos_in_a_tar_are_cut_where_they_lie(tmp_path):
    write_shard(tmp_path / "shard-000000.tar", VIDEOS)
    sources, rejects = found(tmp_path)
    assert rejects == {}
    assert [source.name for source in sources] == sorted(
        f"shard-000000.tar/clip_{v.suffix[1:]}{v.suffix}" for v in VIDEOS
    )
    assert sources[3].labels == ("7", "the mpg film", "a drum")
    for source in sources:
        expected = plain_clips(MEDIA / f"demo.{source.name.rpartition('.')[2]}")
        assert expected
        assert clips_of(source) == expected


def test_split_and_labels_of_tars_choose(tmp_path):
    for name in ("sea-train-000000.tar", "sea-train-000001.tar", "sea-test-000000.tar"):
        write_shard(tmp_path / name, VIDEOS[:1])
    sources, _ = found(tmp_path / "*.tar")
    # Of two groups of train, one becomes val, as of any data that come with train but without val.
    assert sorted(source.split for source in sources) == ["test", "train", "val"]
    assert sources[0].split == "test"
    assert len(found(tmp_path, select=("the mp4 film",))[0]) == 3
    sources, _ = found(tmp_path / "sea-train*.tar")
    assert {source.split for source in sources} == {""}  # what has one split alone has none


def test_two_cameras_of_one_key_are_in_one_split(tmp_path):
    with webdataset.TarWriter(str(tmp_path / "a.tar")) as writer:
        video = VIDEOS[0].read_bytes()
        writer.write({"__key__": "take/one", "left.mp4": video, "right.mp4": video})
    sources, _ = found(tmp_path)
    assert [source.name for source in sources] == ["a.tar/take/one.left.mp4", "a.tar/take/one.right.mp4"]
    assert {source.group for source in sources} == {"a.tar/take/one"}


def test_what_is_wrong_in_a_tar_costs_only_itself(tmp_path):
    """Members out of the folder, links, pickles, doubles, a tar that breaks off, compressed ones."""
    video = VIDEOS[0].read_bytes()
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        for name, content in (
            ("../../up.mp4", video),
            ("/etc/root.mp4", video),
            ("good.mp4", video),
            ("good.mp4", b"the same name again"),
            ("empty.mp4", b""),
            ("weights.pth", b"\x80\x04cposix\nsystem\n."),
            ("code.pyd", b"\x80\x04cposix\nsystem\n."),
            ("broken.json", b"{" * 100_000),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    whole = tmp_path / "whole.tar"
    write_shard(whole, VIDEOS[:2])
    with tarfile.open(whole) as tar:
        cut = tar.getmember("clip_mkv.mkv").offset_data + 1000
    (tmp_path / "half.tar").write_bytes(whole.read_bytes()[:cut])
    whole.unlink()
    (tmp_path / "no.tar").write_bytes(b"this is no tar at all" * 100)
    with tarfile.open(tmp_path / "small.tar.gz", "w:gz") as tar:
        tar.add(VIDEOS[0], "a.mp4")
    sources, rejects = found(tmp_path)
    assert [source.name for source in sources] == [
        *("half.tar/clip_mp4.mp4", "odd.tar/../../up.mp4", "odd.tar//etc/root.mp4", "odd.tar/empty.mp4"),
        "odd.tar/good.mp4",
    ]
    assert rejects == {
        "half.tar": "unreadable",
        "half.tar/clip_mkv.mkv": "unreadable",
        "no.tar": "unreadable",
        "odd.tar/good.mp4": "same_name",
        "small.tar.gz": "unreadable",
    }
    assert all("/" not in source.key for source in sources)  # the names of what is written
    assert clips_of(sources[3]) == []
    assert all(clips_of(source) == plain_clips(VIDEOS[0]) for source in (*sources[:3], sources[4]))


def hf_dataset(videos: list[Path]) -> datasets.Dataset:
    features = datasets.Features(
        {
            "video": datasets.Video(decode=False),
            "label": datasets.ClassLabel(names=["sea", "rain"]),
            "captions": datasets.List(datasets.Value("string")),
            "score": datasets.Value("float32"),
        }
    )
    rows = {
        "video": [{"bytes": video.read_bytes(), "path": video.name} for video in videos],
        "label": [index % 2 for index in range(len(videos))],
        "captions": [[f"film {index}", "a wave"] for index in range(len(videos))],
        "score": [0.5] * len(videos),
    }
    return datasets.Dataset.from_dict(rows, features=features)


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


def write_lerobot(root: Path, version: str, template: str, **more: Any) -> None:
    (root / "meta").mkdir(parents=True)
    features = {
        "observation.images.top": {"dtype": "video", "shape": [48, 64, 3]},
        "observation.images.wrist": {"dtype": "video", "shape": [48, 64, 3]},
        "action": {"dtype": "float32", "shape": [6]},
    }
    info = {"codebase_version": version, "fps": 25, "features": features, "video_path": template, **more}
    (root / "meta/info.json").write_text(json.dumps(info))
    (root / "data/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table({"action": [1.0]}), root / "data/chunk-000/file-000.parquet")


def test_lerobot_v3_cuts_episodes_out_of_long_files(tmp_path):
    template = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    write_lerobot(tmp_path, "v3.0", template, splits={"train": "0:3"})
    cameras = {"top": "demo.mp4", "wrist": "no_sound.mp4"}
    rows: dict[str, list[Any]] = {"episode_index": [0, 1, 2], "tasks": [["push"], ["pull"], ["push"]]}
    for camera, file in cameras.items():
        key = f"videos/observation.images.{camera}"
        (tmp_path / key / "chunk-000").mkdir(parents=True)
        shutil.copy(MEDIA / file, tmp_path / key / "chunk-000/file-000.mp4")
        rows |= {f"{key}/chunk_index": [0] * 3, f"{key}/file_index": [0, 0, 1]}  # the last one's files are not there
        rows |= {f"{key}/from_timestamp": [0.0, 0.48, 0.0], f"{key}/to_timestamp": [0.48, 1.0, 1.0]}
    (tmp_path / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(pa.table(rows), tmp_path / "meta/episodes/chunk-000/file-000.parquet")
    sources, rejects = found(tmp_path)
    top = "videos/observation.images.top/chunk-000/file-000.mp4"
    assert [source.name for source in sources][:2] == [f"{top}@0.000-0.480", f"{top}@0.480-1.000"]
    assert [source.group for source in sources] == ["episode_000000", "episode_000001"] * 2
    assert sources[1].labels == ("pull", "observation.images.top")
    assert {source.split for source in sources} == {""}
    assert list(rejects.values()) == ["missing", "missing"]
    whole = plain_clips(MEDIA / "demo.mp4")
    assert [clip[1:] for clip in clips_of(sources[0])] == [clip[1:] for clip in whole[:1]]
    silent: list[Reject] = []
    assert list(source_clips(SourceTask(sources[2], "train", "any", "", SETTINGS), silent)) == []
    assert [reject.reason for reject in silent] == ["no_audio"]
    assert [source.labels[0] for source in found(tmp_path, select=("PUSH",))[0]] == ["push", "push"]


def test_lerobot_v2_has_a_file_for_each_episode(tmp_path):
    template = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    splits = {"train": "0:3", "test": "3:4"}
    write_lerobot(tmp_path / "push", "v2.1", template, total_episodes=4, chunks_size=2, splits=splits)
    lines = "".join(json.dumps({"episode_index": n, "tasks": [f"task {n % 2}"], "length": 25}) + "\n" for n in range(4))
    (tmp_path / "push/meta/episodes.jsonl").write_text(lines)
    for episode in range(4):
        for camera in ("top", "wrist"):
            path = (
                tmp_path / f"push/videos/chunk-00{episode // 2}/observation.images.{camera}/episode_00000{episode}.mp4"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(VIDEOS[0], path)
    sources, rejects = found(tmp_path)
    assert rejects == {}
    assert len(sources) == 8
    assert [s.split for s in sources if s.group == "push/episode_000003"] == ["test", "test"]
    by_group = {source.group: source.split for source in sources}
    assert sorted(by_group.values()) == ["test", "train", "train", "val"]
    assert clips_of(sources[-1]) == plain_clips(VIDEOS[0])


@pytest.mark.parametrize(
    "change",
    [
        {"video_path": "../../{video_key}.mp4"},
        {"video_path": "{video_key.__class__}/{episode_index:999999999d}"},
        {"video_path": 3},
        {"chunks_size": 0},
        {"codebase_version": "new"},
        {"total_episodes": 10**12},
        {"features": ["video"]},
    ],
)
def test_a_hostile_lerobot_is_a_reject(tmp_path, change):
    given = {"total_episodes": 1, "codebase_version": "v2.1", "template": "a.mp4", **change}
    write_lerobot(tmp_path, given.pop("codebase_version"), given.pop("template"))
    info = json.loads((tmp_path / "meta/info.json").read_text())
    (tmp_path / "meta/info.json").write_text(json.dumps({**info, **given}))
    (tmp_path / "videos").mkdir()
    write_shard(tmp_path.parent / f"{tmp_path.name}_other" / "a.tar", VIDEOS[:1])
    sources, rejects = found(tmp_path, tmp_path.parent / f"{tmp_path.name}_other")
    assert [source.name for source in sources] == ["a.tar/clip_mp4.mp4"]
    assert set(rejects.values()) <= {"unreadable", "missing"}
    assert rejects


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar's header with any size, also one that tarfile would not write."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "rest",
    [
        header("back.mp4", -512),  # the next header would be this one
        header("back.txt", -1024),
        header("huge.mp4", 2**70),
        header("pax", 512, tarfile.XHDTYPE)
        + b"31 size=99999999999999999999999\n".ljust(512, b"\0")
        + header("a.mp4", 3),
        header("pax", -512, tarfile.XHDTYPE),
        (header("long", 1, tarfile.GNUTYPE_LONGNAME) + b"a".ljust(512, b"\0")) * 1500,
    ],
)
def test_headers_that_lie_cost_only_what_follows(tmp_path, rest):
    video = VIDEOS[0].read_bytes()
    good = header("good.mp4", len(video)) + video + bytes(-len(video) % 512)
    (tmp_path / "a.tar").write_bytes(good + rest + bytes(1024))
    sources, rejects = found(tmp_path)
    assert [source.name for source in sources] == ["a.tar/good.mp4"]
    assert rejects["a.tar"] == "unreadable"


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


def test_episodes_that_are_not_there_are_counted_and_the_first_named(tmp_path):
    write_lerobot(tmp_path, "v2.1", "{video_key}/{episode_index}.mp4", total_episodes=3000)
    folder = tmp_path / "observation.images.top"
    folder.mkdir()
    shutil.copy(VIDEOS[0], folder / "2999.mp4")
    sources, missing = find_sources([str(tmp_path)])
    assert [source.name for source in sources] == ["observation.images.top/2999.mp4"]
    assert len(missing) == 1001
    assert "5999" in next(reject.detail for reject in missing if reject.source == "meta/info.json")


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


def test_json_that_is_nested_for_ever_is_a_reject(tmp_path):
    write_lerobot(tmp_path / "bad", "v2.1", "a.mp4")
    (tmp_path / "bad/meta/info.json").write_text("[" * 200_000)
    write_shard(tmp_path / "a.tar", VIDEOS[:1])
    sources, rejects = found(tmp_path)
    assert [source.name for source in sources] == ["a.tar/clip_mp4.mp4"]
    assert rejects["bad/meta/info.json"] == "unreadable"


def test_where_a_video_lies_survives_the_file_of_tasks(tmp_path):
    write_shard(tmp_path / "a.tar", VIDEOS[:2])
    hf_dataset(VIDEOS[:2]).to_parquet(tmp_path / "b.parquet")
    sources, _ = found(tmp_path)
    tasks = [SourceTask(source, "train", "any", str(tmp_path), SETTINGS, unit=source.group) for source in sources]
    location = write_tasks(tmp_path / "plan", tasks, (), {})
    read = TaskFile(location, range(4), "any", str(tmp_path), SETTINGS, "source")
    assert [task.source for task in read] == sources


def prepare(videos: object, out: object) -> int:
    plain = ["--domain=sea", "--local", "--crop=centre", "--stabilize=off", "--clips-per-source=1", *SMALL_CLIPS]
    return main(["prepare", f"--videos={videos}", f"--out={out}", *plain])


def test_prepare_resumes_and_notices_a_new_tar(tmp_path, small_videos, capsys):
    shards = tmp_path / "shards"
    write_shard(shards / "a-train-0.tar", sorted(small_videos.glob("*.mp4"))[:1])
    write_shard(shards / "a-test-0.tar", sorted(small_videos.glob("*.mp4"))[1:2])
    assert prepare(shards, tmp_path / "clips") == 0
    assert [path.parent.name for path in sorted((tmp_path / "clips").glob("split=*/*"))] == [
        "split=test",
        "split=train",
    ]
    capsys.readouterr()
    assert prepare(shards, tmp_path / "clips") == 0
    assert "2 videos were already done" in capsys.readouterr().out
    write_shard(shards / "a-train-0.tar", sorted(small_videos.glob("*.mp4"))[2:3], txt="a longer text than before")
    assert prepare(shards, tmp_path / "clips") == 0
    assert "1 videos were already done" in capsys.readouterr().out


@pytest.fixture
def store(monkeypatch):
    store = ObjectStore()
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    yield store
    store.close()


def test_tars_and_tables_in_an_object_store_are_read_in_part(tmp_path, store):
    write_shard(tmp_path / "a.tar", VIDEOS[:2])
    hf_dataset(VIDEOS[:2]).to_parquet(tmp_path / "b.parquet")
    hf_dataset(VIDEOS[:2]).save_to_disk(tmp_path / "c")
    for path in ("a.tar", "b.parquet", "c/data-00000-of-00001.arrow"):
        store.client.upload_file(str(tmp_path / path), "bucket", f"films/{path}")
    sources, missing = find_sources(["s3://bucket/films"])
    assert missing == []
    expected = [plain_clips(video) for video in VIDEOS[:2]]
    assert [clips_of(source) for source in sources] == [*expected[::-1], *expected, *expected]
