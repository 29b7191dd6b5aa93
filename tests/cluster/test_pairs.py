"""`s2v generate --pairs` under Ray: two actors, one of which a pair kills."""

import os
import signal

import pytest
from helpers.pairs import read_results, write_pairs

from s2v_ray.cli.main import main
from s2v_ray.cluster.pairs import given_up, make_in_parallel
from s2v_ray.cluster.resources import pool_resources
from s2v_ray.errors import UserError
from s2v_ray.generation.video import Generator, Options
from s2v_ray.recipes.generate import PairResult, PairTask, make_pair, plan_pairs


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_pair_that_kills_its_actor_is_a_row_and_the_others_are_as_without_ray(small_run, tmp_path, capsys):
    table = write_pairs(tmp_path, ["one", "two", "three", "four"])
    (tmp_path / "four.wav").unlink()
    planned = plan_pairs(str(table), str(small_run), str(tmp_path / "by hand"), Options())

    def killed_by_the_second(generator: Generator, task: PairTask) -> PairResult:
        if task.pair.name == "two":
            os.kill(os.getpid(), signal.SIGKILL)
        return make_pair(generator, task)

    results = make_in_parallel(planned.tasks, planned.checkpoint, workers=2, make=killed_by_the_second)
    assert {result.name: (result.status, result.reason) for result in results} == {
        "one": ("made", ""),
        "two": ("failed", "crashed"),
        "three": ("made", ""),
        "four": ("failed", "not_found"),
    }
    base = ["generate", "--checkpoint", str(small_run), "--pairs", str(table)]
    assert main([*base, "--out", str(tmp_path / "local"), "--local"]) == 3
    for name in ("one", "three"):
        video = (tmp_path / "by hand" / f"{name}.mp4").read_bytes()
        assert video == (tmp_path / "local" / f"{name}.mp4").read_bytes()

    out = tmp_path / "under ray"
    assert main([*base, "--out", str(out), "--workers", "3"]) == 1
    assert "3 workers need 3 CPUs" in capsys.readouterr().err
    assert {row["status"] for row in read_results(out).values()} == {"waiting"}


def test_a_pair_is_given_up_after_three_crashes_or_one_hang():
    assert given_up("a", []) is given_up("a", [1.0, 2.0]) is None
    assert [given_up("a", tried).reason for tried in ([1.0, 2.0, 1.0], [7200.0])] == ["crashed", "hung"]


def test_how_many_workers_fit_and_what_each_has():
    def pool(resources, workers=None, device="auto", cpus=None, gpus=None, grows=False):
        return pool_resources(resources, workers, device, cpus_per_worker=cpus, gpus_per_worker=gpus, grows=grows)

    assert pool({"CPU": 8}) == (8, 1.0, 0.0)
    assert pool({"CPU": 8}, cpus=2) == (4, 2.0, 0.0)
    assert pool({"CPU": 8, "GPU": 2}) == (2, 1.0, 1.0)
    assert pool({"CPU": 8, "GPU": 2}, gpus=0.5) == (4, 1.0, 0.5)
    assert pool({"CPU": 8, "GPU": 2}, device="cpu") == (8, 1.0, 0.0)
    assert pool({}, workers=4, grows=True) == (4, 1.0, 0.0)
    for resources, flags in (
        ({"CPU": 8}, {"device": "cuda"}),
        ({"CPU": 8}, {"workers": 9}),
        ({"CPU": 8}, {"gpus": 1}),
        ({"CPU": 8}, {"workers": 0}),
        ({"CPU": 8, "GPU": 1}, {"gpus": 0}),
    ):
        with pytest.raises(UserError):
            pool(resources, **flags)
