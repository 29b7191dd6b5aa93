"""The verbs as jobs on a cluster of several nodes, undisturbed and through faults: the results are the same."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from helpers.nodes import Nodes, nodes_of
from helpers.ray_log import without_rays_own
from helpers.small import SMALL_CLIPS
from helpers.waiting import wait_until
from helpers.weights import assert_close, weights

from s2v_ray.cli.main import main
from s2v_ray.synthetic.write import synthesize
from s2v_ray.training.checkpoint_files import checkpoints

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    import ray

    ray.shutdown()  # that of tests before: two Rays on a machine disturb each other
    with nodes_of(2) as cluster:
        yield cluster


def files(folder: Path) -> dict[Path, bytes]:
    """All but hidden ones: a process that is killed while it writes leaves a part of a file, which nobody reads."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder): path.read_bytes() for path in found}


def train_flags(clips: Path, run: Path, model: Path, *more: str) -> list[str]:
    flags = ["--clips", str(clips), "--out", str(run), "--config", str(model), "--workers", "2"]
    return [*flags, "--training.save-every-steps", "5", "--training.keep-checkpoints", "2", *more]


def assert_reads_well(log: str) -> None:
    """What a user sees of a job: lines, none of them Ray's own or twice."""
    log = without_rays_own(log)
    assert "\r" not in log
    assert "\x1b" not in log
    assert "Traceback" not in log
    lines = [line for line in log.splitlines() if "job_manager.py" not in line and "Running entrypoint" not in line]
    assert not [line for line in lines if re.search(r"\b(INFO|WARNING|ERROR)\b|\.py:\d", line)], log
    said = [line for line in lines if line.strip(" ━┃│─┏┓└┘┡┩┳╇┴")]
    assert len(said) == len(set(said)), log


def test_from_videos_to_a_video_on_two_nodes(nodes, small_videos, small_clips, small_model, tmp_path):
    clips, run, report, video = (tmp_path / name for name in ("clips", "run", "report", "video.mp4"))
    log = nodes.run("prepare", "--videos", str(small_videos), "--out", str(clips), *SMALL_CLIPS)
    assert_reads_well(log)
    assert f"Wrote {len(list(small_clips.rglob('*.parquet'))) * 4} clips" in log
    assert files(clips) == files(small_clips)
    log = nodes.run("train", *train_flags(clips, run, small_model, "--steps", "8"))
    assert_reads_well(log)
    assert "Trained 8 steps" in log
    alone = tmp_path / "alone"
    assert main(["train", *train_flags(clips, alone, small_model, "--steps", "8", "--workers", "0")]) == 0
    assert_close(weights(run), weights(alone), 2e-3)  # as in test_cluster.py
    where = ["--checkpoint", str(run)]
    assert_reads_well(nodes.run("evaluate", *where, "--clips", str(clips), "--out", str(report)))
    assert json.loads((report / "report.json").read_text())
    source = str(next(small_videos.iterdir()))
    assert_reads_well(nodes.run("generate", *where, "--image", source, "--sound", source, "--out", str(video)))
    with av.open(str(video)) as made:
        assert sum(1 for _ in made.decode(video=0)) == 40  # 1.6 s at 25 a second

    status, log = nodes.finished(nodes.submit("train", "--clips", str(tmp_path / "none"), "--out", str(run)))
    assert status == "FAILED"
    assert "s2v train: " in log
    assert "Traceback" not in log


def test_a_node_lost_while_preparing_costs_no_clip(nodes, tmp_path):
    videos, clips, calm = tmp_path / "videos", tmp_path / "clips", tmp_path / "calm" / "clips"
    # The short ones say when to begin; the long ones, which come last, take long enough not to be done by then, however
    # late this process is woken.
    synthesize("sea", videos / "a_short", sources=4, seed=6, seconds=1.6, size=48)
    synthesize("sea", videos / "long", sources=8, seed=60, seconds=8.0, size=48)
    assert main(["prepare", "--videos", str(videos), "--out", str(calm), "--local", *SMALL_CLIPS]) == 0
    job = nodes.submit("prepare", "--videos", str(videos), "--out", str(clips), *SMALL_CLIPS)
    wait_until(lambda: list(clips.rglob("*.parquet")), "the first clips")
    assert len(list(clips.rglob("*.parquet"))) < 12
    begin = time.monotonic()
    nodes.replace_node()
    status, log = nodes.finished(job)
    print(f"\nnode replaced while preparing: all done {time.monotonic() - begin:.1f} s later")
    assert status == "SUCCEEDED", log
    assert "Traceback" not in log
    assert files(clips) == files(calm)


def test_training_through_faults_ends_as_without_them(nodes, small_clips, small_model, tmp_path):
    run, calm = tmp_path / "run", tmp_path / "calm"
    endless = train_flags(small_clips, run, small_model, "--steps", "100000")
    job = nodes.submit("train", *endless)

    def last_step() -> int:
        names = checkpoints(str(run)) if run.is_dir() else {}
        return max((int(name[-8:]) for name, whole in names.items() if whole), default=0)

    def await_progress() -> float:
        """Seconds until there is a checkpoint that was not there before."""
        begin, step = time.monotonic(), last_step()
        nodes.wait_while_running(job, lambda: last_step() > step, f"a checkpoint after step {step}")
        return time.monotonic() - begin

    await_progress()
    for fault in (nodes.kill_worker, nodes.hold_worker, nodes.replace_node):
        step = last_step()
        fault()
        print(f"\n{fault.__name__} at step {step}: the next checkpoint came {await_progress():.1f} s later")
    nodes.kill_driver()
    status, log = nodes.finished(job)
    assert status == "FAILED"
    assert "Traceback" not in without_rays_own(log), log

    begin = time.monotonic()
    job = nodes.submit("train", *endless)
    step = last_step()
    await_progress()
    print(
        f"kill_driver at step {step}: the next checkpoint came {time.monotonic() - begin:.1f} s after submitting again"
    )
    nodes.jobs.stop_job(job)
    assert nodes.finished(job)[0] == "STOPPED"
    stopped_at = last_step()
    going_on = re.search(r"Resuming from step (\d+)", nodes.log(job))
    assert going_on
    assert int(going_on[1]) >= step  # workers may outlive their driver by a checkpoint
    last = ["--steps", str(stopped_at + 10)]
    log = nodes.run("train", *endless[:-2], *last)
    assert f"Resuming from step {stopped_at}" in log
    nodes.run("train", *train_flags(small_clips, calm, small_model, *last))
    assert_close(weights(run), weights(calm), 1e-6)
