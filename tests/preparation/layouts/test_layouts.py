"""What all formats of videos have in common: they are prepared, resumed, and read from object stores."""

import pytest
from helpers.layouts import SETTINGS, VIDEOS, clips_of, found, hf_dataset, plain_clips, write_lerobot, write_shard
from helpers.object_store import ObjectStore
from helpers.small import SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.sources.find import find_sources
from s2v_ray.preparation.task_file import TaskFile, write_tasks


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
    location = write_tasks(tmp_path / "plan", tasks, {})
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
