"""What Ray's own endpoint tells Prometheus of a preparation and a training; validation beside a training."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import ray
from helpers.small import SMALL_CLIPS
from helpers.waiting import wait_until

from s2v_ray.cli.main import main
from s2v_ray.dataset.index import read_dataset
from s2v_ray.training.checkpoint_files import find_checkpoint

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

_SAMPLE = re.compile(r"(\w+)\{(.*)\} (\S+)")
_OWN = {"Component", "NodeAddress", "SessionName", "Version", "WorkerId"}


def samples(name: str, **tags: str) -> list[tuple[dict[str, str], float]]:
    """The labels of ours and the value of each sample of this name that has these labels, of the only node."""
    node = ray.nodes()[0]
    text = httpx.get(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics", timeout=60).text
    found = []
    for line in text.splitlines():
        if (sample := _SAMPLE.fullmatch(line)) and sample[1] == name:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', sample[2]))
            ours = {key: value for key, value in labels.items() if key not in _OWN and not key.startswith("otel_")}
            if tags.items() <= ours.items():
                found.append((ours, float(sample[3])))
    return found


def total(name: str, **tags: str) -> float:
    return sum(value for _, value in samples(name, **tags))


def wait_for(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, f"{what} in Ray's metrics", 60)


def test_a_preparation_counts_clips_and_rejects_by_reason(small_videos, tmp_path):
    videos = tmp_path / "breakers"
    videos.mkdir()
    for path in sorted(small_videos.glob("*.mp4"))[:2]:
        (videos / path.name).write_bytes(path.read_bytes())
    (videos / "broken.mp4").write_bytes(b"no video")
    out = tmp_path / "clips"
    assert main(["prepare", "--videos", str(videos), "--out", str(out), *SMALL_CLIPS]) == 0
    rejects = [json.loads(line)["reason"] for line in (out / "rejects.jsonl").read_text().splitlines()]
    clips = read_dataset(str(out)).counts.clips
    assert clips
    assert rejects
    wait_for(lambda: total("ray_s2v_prepare_clips_total", domain="breakers") == clips, "the clips")
    wait_for(lambda: total("ray_s2v_prepare_sources_total", domain="breakers") == 3, "the sources")
    assert total("ray_s2v_prepare_sources_total", domain="breakers", outcome="clips") == 2
    told = {tags["reason"]: value for tags, value in samples("ray_s2v_prepare_rejects_total", domain="breakers")}
    assert told == dict(Counter(rejects))


@pytest.fixture(scope="module")
def watched_run(ray_cluster, small_clips, small_model, tmp_path_factory):
    """A run by one worker, which is validated beside it."""
    run = tmp_path_factory.mktemp("runs") / "watched"
    assert main(train_command(run, small_clips, small_model, "--workers", "1")) == 0
    return run


def train_command(run: Path, clips: Path, model: Path, *more: str) -> list[str]:
    command = ["train", "--clips", str(clips), "--out", str(run), "--config", str(model), "--device", "cpu"]
    return [*command, "--steps", "6", "--training.validate-every-steps", "2", "--training.loader-workers", "0", *more]


def test_a_training_tells_its_clips_losses_waiting_and_score(small_clips, watched_run):
    tags = {"run": "watched", "domain": read_dataset(str(small_clips)).domain}
    lines = [json.loads(line) for line in (watched_run / "metrics.jsonl").read_text().splitlines()]
    (losses,) = (line for line in lines if line["step"] == 6 and "loss/generator" in line)
    (score,) = (line["validation/score"] for line in lines if line["step"] == 6 and "validation/score" in line)
    expected = {name.removeprefix("loss/"): value for name, value in losses.items() if name.startswith("loss/")}
    expected |= {"score": score, "step": 6, "clips": 6 * 4}  # the small model's batches have four clips

    def told() -> dict[str, float]:
        values = {labels["loss"]: value for labels, value in samples("ray_s2v_train_loss", **tags)}
        names = {"score": "validation_score", "step": "step", "clips": "clips_total"}
        return values | {each: total(f"ray_s2v_train_{name}", **tags) for each, name in names.items()}

    wait_for(lambda: told() == pytest.approx(expected), "the losses, the score, steps and clips")
    ((labels, waited),) = samples("ray_s2v_train_waiting_seconds_total", **tags)
    assert labels == {**tags, "rank": "0"}
    assert 0 < waited < 60


def test_validation_beside_one_worker_chooses_as_validation_inside_does(
    small_clips, small_model, watched_run, tmp_path
):
    alone = tmp_path / "alone"
    assert main(train_command(alone, small_clips, small_model, "--workers", "0")) == 0
    inside, beside = (
        {
            line["step"]: {name: value for name, value in line.items() if name.startswith("validation/")}
            for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
            if "validation/score" in line
        }
        for run in (alone, watched_run)
    )
    assert beside.keys() == inside.keys() == {2, 4, 6}
    for step, values in inside.items():
        assert beside[step] == pytest.approx(values, abs=1e-4)
    assert find_checkpoint(watched_run)[-8:] == find_checkpoint(alone)[-8:]
    at_two = json.loads((watched_run / "checkpoints" / "step_00000002" / "state.json").read_text())
    assert at_two["unscored"] == {"step": 2, "eligible": True}  # it was validated elsewhere, once it was written
