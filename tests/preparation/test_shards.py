"""Preparation in shards: the same data set as by one job, whichever of them come first."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.small import QUICK, SMALL_CLIPS

from s2v_ray.cli.main import main
from s2v_ray.dataset.index import exclude_source, read_dataset
from s2v_ray.errors import UserError
from s2v_ray.preparation import task_file
from s2v_ray.preparation.shards import parse_shard, read_plans
from s2v_ray.recipes.exclude import exclude


def flags(videos: Path, out: Path, shard: str) -> list[str]:
    return ["--videos", str(videos), "--out", str(out), "--local", *SMALL_CLIPS, *(["--shard", shard] if shard else [])]


def prepare(videos: Path, out: Path, shard: str = "", *more: str) -> int:
    return main(["prepare", *flags(videos, out, shard), *more])


def files(folder: Path) -> dict[Path, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder): path.read_bytes() for path in found}


def test_shards_in_any_order_give_what_one_job_does(tmp_path, small_videos, capsys):
    out, alone = tmp_path / "sea", tmp_path / "alone"
    assert prepare(small_videos, alone, "", *QUICK) == 0
    assert prepare(small_videos, out, "3/3", *QUICK) == 0
    assert "2 of 3 shards are left: 1, 2." in capsys.readouterr().out
    lost = next(out.glob("split=*/*.parquet"))
    lost.unlink()
    assert prepare(small_videos, out, "3/3", *QUICK) == 0  # resumes: what is missing is made again
    assert lost.exists()
    assert prepare(small_videos, out, "1/3", *QUICK) == 0
    before = {path: content for path, content in files(out).items() if path.suffix == ".parquet"}
    capsys.readouterr()
    assert main(["merge", "--clips", str(out)]) == 0
    assert "1 of 3 shards are missing or unfinished: 2." in capsys.readouterr().out
    description = json.loads((out / "dataset.json").read_text())
    assert (description["complete"], description["counts"]["sources"]) == (False, 4)
    assert {path: content for path, content in files(out).items() if path.suffix == ".parquet"} == before
    assert prepare(small_videos, out, "2/3", *QUICK) == 0
    assert main(["merge", "--clips", str(out)]) == 0
    assert files(out) == files(alone)
    assert main(["merge", "--clips", str(out)]) == 0
    assert prepare(small_videos, out, "1/3", *QUICK) == 0  # nothing is left to do
    assert prepare(small_videos, out, "", *QUICK) == 0
    assert files(out) == files(alone)


def test_shards_that_run_at_once_give_what_one_job_does_with_copies_empty_splits_and_exclusions(tmp_path, small_videos):
    videos, ours, theirs = tmp_path / "videos", tmp_path / "ours", tmp_path / "theirs"
    shutil.copytree(small_videos, videos)
    first = min(videos.iterdir())
    shutil.copy(first, videos / f"z{first.name}")
    for path in sorted(videos.iterdir())[1:5]:  # useless ones, which leave a split empty
        path.write_bytes(b"no video")
    more = ["--split-by", "source", "--clips-per-source", "1", *QUICK]
    command = [sys.executable, "-m", "s2v_ray", "prepare"]
    jobs = [subprocess.Popen([*command, *flags(videos, ours, f"{number}/2"), *more]) for number in (1, 2)]
    assert [job.wait(timeout=300) for job in jobs] == [0, 0]
    assert len(read_plans(ours)) == 1
    exclude_source(ours, first.name, excluded=True)
    assert main(["merge", "--clips", str(ours)]) == 0
    assert prepare(videos, theirs, "", *more) == 0
    exclude(str(theirs), first.name, excluded=True)
    assert files(ours) == files(theirs)
    assert read_dataset(ours).excluded.sources == 1


@pytest.mark.parametrize("fault", ["columns", "facts"])
def test_a_damaged_plan_is_refused(fault, tmp_path):
    table = pa.table({"path": ["x"]}) if fault == "columns" else task_file._SCHEMA.empty_table()
    path = tmp_path / "_plan" / f"{'0' * 16}.parquet"
    path.parent.mkdir()
    pq.write_table(table.replace_schema_metadata({"s2v_plan": "{"}), path)
    assert main(["merge", "--clips", str(tmp_path)]) == 1
    with pytest.raises(UserError) as refused:
        read_plans(tmp_path)
    assert refused.value.code == "damaged_plan"


def test_what_does_not_belong_together_is_refused_by_name(tmp_path, small_videos, capsys):
    out = tmp_path / "sea"
    assert prepare(small_videos, out, "1/3", *QUICK) == 0
    refused = {
        "seed": ["--shard", "2/3", "--seed", "1"],
        "shards": ["--shard", "1/2"],
        "being prepared in 3 shards": [],
    }
    for named, more in refused.items():
        capsys.readouterr()
        assert prepare(small_videos, out, "", *QUICK, *more) == 1
        assert named in capsys.readouterr().err
    # Shards that were started at the same moment with different settings.
    other = tmp_path / "other"
    assert prepare(small_videos, other, "2/3", "--seed", "1", *QUICK) == 0
    for path in other.glob("_plan/*"):
        shutil.copy(path, out / "_plan")
    assert main(["merge", "--clips", str(out)]) == 1
    said = capsys.readouterr().err
    assert "settings.seed" in said
    assert "1 of 3" in said
    assert "2 of 3" in said
    assert len(read_plans(str(out))) == 2


def test_a_preparation_without_shards_finishes_first(tmp_path, small_clips, small_videos, capsys):
    out = tmp_path / "sea"
    shutil.copytree(small_clips, out)
    description = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps({**description, "complete": False}))
    assert prepare(small_videos, out, "1/2") == 1
    assert main(["merge", "--clips", str(out)]) == 1
    assert capsys.readouterr().err.count("[unfinished]") == 2


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "-1/3", "1/3/5"])
def test_a_shard_is_one_of_a_count(text):
    with pytest.raises(UserError, match=r"such as 3/600"):
        parse_shard(text)
