"""Training through faults: whatever dies, the run resumes from its last checkpoint and ends with the same weights."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from helpers.small import small_config
from helpers.weights import assert_close, weights

from s2v_ray.config import Config, load_config
from s2v_ray.recipes.train import PreparedClips, job_on, run_training
from s2v_ray.training.checkpoint_files import checkpoints, last_checkpoint
from s2v_ray.training.run import open_run
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.workers import Workers


def two_worker_config(clips: Path, steps: int) -> Config:
    return small_config(clips, training__steps=steps, training__save_every_steps=2, training__loader_workers=0)


def loop_with(at_step: Callable[[Workers, int], None], config: Config, clips: Path, run: Path) -> partial:
    """The training of `s2v train`, with `at_step` called on every worker after each step."""
    return partial(_loop, at_step, job_on(PreparedClips(str(clips)), config, str(run)))


def _loop(at_step, job, workers, report, stop):
    steps = 0

    def stop_after(asked=stop) -> bool:
        nonlocal steps
        steps += 1
        at_step(workers, steps)
        return asked()

    return run_training(job, config_budget(job.config), workers, report, stop_after)


def kill_once(flag: Path, rank: int, step: int, workers: Workers, steps: int) -> None:
    if workers.rank == rank and steps == step and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.ray
def test_a_killed_worker_costs_nothing_that_was_saved(small_clips, two_worker_run, tmp_path):
    from ray import cloudpickle

    from s2v_ray.cluster.training import train_on_workers

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers can't import this file
    config, run = load_config(str(two_worker_run / "config.toml")), tmp_path / "run"
    open_run(run, config)
    loop = loop_with(partial(kill_once, tmp_path / "killed", 1, 5), config, small_clips, run)
    assert train_on_workers(loop, workers=(2, 2), device="auto", run=run, max_failures=1)
    assert (tmp_path / "killed").exists()
    assert_close(weights(two_worker_run), weights(run), 1e-6)


def train_command(clips: Path, model: Path, run: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "s2v_ray", "train", "--clips", str(clips), "--out", str(run)]
    return [*command, "--config", str(model), "--training.save-every-steps", "2", *more]


def first_checkpoint_of(process: subprocess.Popen, run: Path) -> None:
    """Wait until the run has written one."""
    while not (run.is_dir() and any(checkpoints(str(run)).values())):
        assert process.poll() is None, "it ended before its first checkpoint"
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_killed_driver_resumes_by_the_same_command(small_clips, small_model, tmp_path, workers):
    run = tmp_path / "run"
    command = train_command(small_clips, small_model, run, "--workers", workers, "--training.loader-workers", "0")
    hidden = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, "--steps", "100000"], start_new_session=True, **hidden) as process:
        first_checkpoint_of(process, run)
        os.killpg(process.pid, signal.SIGKILL)
    # Ray's workers may outlive their driver by a moment, and by a checkpoint.
    killed_at = int(str(last_checkpoint(run))[-8:])
    last_step = str(killed_at + 30)
    again = subprocess.run([*command, "--steps", last_step], capture_output=True, text=True, check=True)
    going_on = re.search(r"Resuming from step (\d+)", again.stdout)
    assert going_on
    assert int(going_on[1]) >= killed_at
    whole = tmp_path / "whole"
    command = train_command(small_clips, small_model, whole, "--workers", workers, "--steps", last_step)
    subprocess.run(command, capture_output=True, check=True)
    assert_close(weights(run), weights(whole), 1e-6 if int(workers) else 0)


@pytest.mark.slow
@pytest.mark.ray
def test_a_lost_node_leaves_an_elastic_training_to_the_others(small_clips, tmp_path):
    command = [sys.executable, __file__, str(small_clips), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}  # for its helpers, there and on workers
    subprocess.run(command, check=True, timeout=300, env=environment)
    world_sizes = (tmp_path / "world_sizes").read_text().split()
    assert world_sizes[0] == "2"
    assert world_sizes[-1] == "1"
    assert str(last_checkpoint(tmp_path / "run")).endswith("step_00000012")


def tell_and_pause(folder: Path, workers: Workers, steps: int) -> None:
    """Write how many workers there are; two of them wait at their sixth step until a node is gone."""
    if workers.rank == 0 and steps == 1:
        with (folder / "world_sizes").open("a") as file:
            file.write(f"{workers.world_size}\n")
    if workers.world_size == 2 and steps == 6:
        (folder / f"at_six_{workers.rank}").touch()
        threading.Event().wait(120)  # the node of one of them is taken away meanwhile


def lose_a_node(clips: Path, folder: Path) -> None:
    """Two nodes of one CPU; one is taken away when both workers are at their sixth step."""
    import ray
    from ray.cluster_utils import Cluster

    from s2v_ray.cluster.training import train_on_workers

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.add_node(num_cpus=1)
    lost = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    config, run = two_worker_config(clips, steps=12), folder / "run"
    open_run(run, config)
    loop = loop_with(partial(tell_and_pause, folder), config, clips, run)
    trained = threading.Thread(
        target=train_on_workers,
        args=(loop,),
        kwargs={"workers": (1, 2), "device": "cpu", "run": run, "max_failures": 3},
    )
    trained.start()
    while len(list(folder.glob("at_six_*"))) < 2 and trained.is_alive():
        trained.join(0.2)
    cluster.remove_node(lost, allow_graceful=False)
    trained.join()
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    lose_a_node(Path(sys.argv[1]), Path(sys.argv[2]))
