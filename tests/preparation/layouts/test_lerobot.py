"""LeRobot: episodes cut out of long files, or a file each."""

import json
import shutil
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.layouts import SETTINGS, VIDEOS, clips_of, found, plain_clips, write_lerobot, write_shard
from helpers.videos import MEDIA

from s2v_ray.dataset.records import Reject
from s2v_ray.preparation.plan import SourceTask
from s2v_ray.preparation.prepare import source_clips
from s2v_ray.preparation.sources.find import find_sources


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
    shutil.copy(MEDIA / "demo.mp4", tmp_path / "videos/observation.images.top/chunk-000/file-009.mp4")  # in no row
    sources, rejects = found(tmp_path)
    assert rejects.pop("videos/observation.images.top/chunk-000/file-009.mp4") == "unlisted"
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


def test_episodes_that_are_not_there_are_counted_and_the_first_named(tmp_path):
    write_lerobot(tmp_path, "v2.1", "{video_key}/{episode_index}.mp4", total_episodes=3000)
    folder = tmp_path / "observation.images.top"
    folder.mkdir()
    shutil.copy(VIDEOS[0], folder / "2999.mp4")
    sources, missing = find_sources([str(tmp_path)])
    assert [source.name for source in sources] == ["observation.images.top/2999.mp4"]
    assert len(missing) == 1001
    assert "5999" in next(reject.detail for reject in missing if reject.source == "meta/info.json")
