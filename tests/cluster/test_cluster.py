"""The same results through Ray: preparation in parallel, training by two workers."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from helpers.small import SMALL_CLIPS
from helpers.weights import assert_close, weights

from s2v_ray.cli.main import main
from s2v_ray.cluster.connect import connect
from s2v_ray.cluster.preparation import run_in_parallel
from s2v_ray.cluster.resources import scaling, spare
from s2v_ray.cluster.training import train_on_workers
from s2v_ray.dataset.index import read_records
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.errors import UserError
from s2v_ray.media.decoding.limits import Limits
from s2v_ray.preparation.plan import SourceTask, plan
from s2v_ray.preparation.prepare import prepare_source
from s2v_ray.recipes.prepare import stored_tasks
from s2v_ray.training.checkpoint_files import last_checkpoint

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def test_preparing_in_parallel_gives_the_same_bytes(small_videos, small_clips, tmp_path):
    out = tmp_path / "clips"
    assert main(["prepare", "--videos", str(small_videos), "--out", str(out), *SMALL_CLIPS]) == 0
    ours = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    theirs = {path.relative_to(small_clips): path.read_bytes() for path in small_clips.rglob("*") if path.is_file()}
    assert ours == theirs
    assert main(["prepare", "--videos", str(small_videos), "--out", str(out), *SMALL_CLIPS]) == 0  # nothing to do


def test_a_source_that_kills_its_worker_does_not_hold_up_the_others(small_videos, tmp_path):
    videos = [str(path) for path in sorted(small_videos.iterdir())[:3]]
    tasks = plan(videos, str(tmp_path), "sea", clip_settings(clip_seconds=1)).tasks

    def crash_on_the_second(task: SourceTask) -> int:
        if task.source.path == videos[1]:
            os.kill(os.getpid(), signal.SIGKILL)
        return 1

    done = dict(run_in_parallel(crash_on_the_second, tasks))
    assert set(done) == {tasks[0].source.name, tasks[2].source.name}


def test_a_source_that_kills_its_worker_costs_only_itself_where_several_share_a_task(small_videos, tmp_path):
    videos = [str(path) for path in sorted(small_videos.iterdir())[:4]]
    planned = plan(videos, str(tmp_path / "clips"), "sea", clip_settings(clip_seconds=1))
    tasks, started = stored_tasks(planned), tmp_path / "started"

    def crash_on_the_third(task: SourceTask) -> int:
        with started.open("a") as file:
            file.write(f"{task.source.name}\n")
        if task.source.path == videos[2]:
            os.kill(os.getpid(), signal.SIGKILL)
        return 1

    names = [task.source.name for task in tasks]
    done = dict(run_in_parallel(crash_on_the_third, tasks, most_blocks=1))
    assert set(done) == {*names} - {names[2]}
    tries = Counter(started.read_text().split())
    assert tries[names[2]] > 1
    assert all(tries[name] == 1 for name in done)


def test_a_call_that_never_returns_is_ended_and_recorded(small_videos, tmp_path):
    videos = [str(path) for path in sorted(small_videos.iterdir())[:3]]
    settings = clip_settings(clip_seconds=1, limits=Limits(max_source_seconds=6))
    tasks = plan(videos, str(tmp_path / "clips"), "sea", settings).tasks
    tries = tmp_path / "tries"

    def hang_in_the_second(task: SourceTask) -> int:
        if task.source.path == videos[1] and not task.failure:
            with tries.open("a") as file:
                file.write("tried\n")
            ctypes.PyDLL(None).pause()  # in C, and with the interpreter's lock
        return prepare_source(task)

    done = dict(run_in_parallel(hang_in_the_second, tasks))
    first, hung, third = (task.source.name for task in tasks)
    assert {name: clips > 0 for name, clips in done.items()} == {first: True, hung: False, third: True}
    (reject,) = read_records(str(tmp_path / "clips"))[hung].rejects
    assert reject.reason == "hung"
    assert tries.read_text() == "tried\n"


def loss_steps(run: Path) -> list[int]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["step"] for line in lines if "loss/generator" in line]


def test_two_workers_train_as_one_process_does(small_run, two_worker_run):
    assert str(last_checkpoint(two_worker_run)).endswith("step_00000008")
    # The order of summation differs, and Adam's first steps turn tiny differences of gradients into steps.
    assert_close(weights(small_run), weights(two_worker_run), 2e-3)
    assert loss_steps(two_worker_run) == [2, 4, 6, 8]


@pytest.mark.slow
def test_two_workers_resume_and_a_damaged_checkpoint_is_named_once(
    small_clips, small_model, two_worker_run, tmp_path, capsys
):
    run = tmp_path / "run"
    shutil.copytree(two_worker_run, run)
    sixth, eighth = (run / "checkpoints" / f"step_0000000{step}" / "weights.safetensors" for step in (6, 8))
    eighth.write_bytes(eighth.read_bytes()[:1000])
    before = sixth.stat().st_mtime_ns
    command = ["train", "--clips", str(small_clips), "--out", str(run), "--config", str(small_model), "--workers", "2"]
    command += ["--training.save-every-steps", "2"]
    assert main([*command, "--steps", "9"]) == 1
    # Once, although Ray would start them again.
    assert capsys.readouterr().err.count("is damaged: weights.safetensors") == 1
    assert main([*command, "--steps", "8", "--skip-damaged"]) == 0
    assert_close(weights(run), weights(two_worker_run), 1e-6)
    assert sixth.stat().st_mtime_ns == before  # it went on from there
    assert loss_steps(run) == [2, 4, 6, 8]


@pytest.mark.slow
def test_two_trainings_on_a_machine_each_keep_to_their_own_ray(small_clips, small_model, tmp_path):
    connect()  # this process has one, the command another
    command = [sys.executable, "-m", "s2v_ray", "train", "--clips", str(small_clips), "--out", str(tmp_path / "run")]
    command += ["--config", str(small_model), "--workers", "1", "--steps", "2"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "Found multiple active Ray instances" not in told
    assert "Traceback" not in told


def test_more_workers_than_the_cluster_can_hold_are_refused(tmp_path):
    with pytest.raises(UserError, match="30 workers need 3 CPUs, but the cluster has 2"):
        train_on_workers(lambda *_: None, workers=(30, 30), device="auto", run=tmp_path, max_failures=0)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_workers_ask_the_cluster_for_gpus_and_not_this_machine(small_clips, small_model, tmp_path, capsys):
    command = ["train", "--clips", str(small_clips), "--out", str(tmp_path / "run"), "--config", str(small_model)]
    assert main([*command, "--workers", "2", "--device", "cuda"]) == 1
    assert "[too_few_resources]" in capsys.readouterr().err


def test_what_the_workers_leave_free_is_for_validation():
    cpus, gpus = {"CPU": 3.0}, {"CPU": 8.0, "GPU": 3.0}
    assert spare(scaling((2, 2), "cpu", cpus), 2, cpus) == {"num_cpus": 1}
    assert spare(scaling((1, 3), "cpu", cpus), 3, cpus) is None
    assert spare(scaling((2, 2), "cpu", cpus, decoding=True), 2, cpus, decoding=True) is None
    # Tasks that decode may hold all CPUs until the workers take their clips: who waits for one may wait for ever.
    assert spare(scaling((1, 1), "cpu", cpus, decoding=True), 1, cpus, decoding=True) == {"num_cpus": 0}
    on_gpu = scaling((2, 2), "auto", gpus, decoding=True)
    assert spare(on_gpu, 2, gpus, decoding=True) == {"num_cpus": 0, "num_gpus": 1}
    assert spare(scaling((2, 2), "auto", gpus), 2, gpus) == {"num_cpus": 1, "num_gpus": 1}
    assert spare(scaling((3, 3), "auto", gpus), 3, gpus) is None  # on a CPU it would take too long
