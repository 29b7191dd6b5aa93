"""What Ray's own endpoint tells Prometheus of a preparation and a training."""

import json
import re
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
import ray
from helpers.small import SMALL_CLIPS
from helpers.waiting import wait_until

from s2v_ray.cli.main import main
from s2v_ray.dataset.index import read_dataset

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


def test_a_training_tells_its_clips_losses_waiting_and_score(small_clips, small_model, tmp_path):
    run = tmp_path / "watched"
    flags = ["--clips", str(small_clips), "--out", str(run), "--config", str(small_model), "--device", "cpu"]
    assert main(["train", *flags, "--workers", "1", "--steps", "10"]) == 0
    tags = {"run": "watched", "domain": read_dataset(str(small_clips)).domain}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (losses,) = (line for line in lines if line["step"] == 10 and "loss/generator" in line)
    (score,) = (line["validation/score"] for line in lines if line["step"] == 10 and "validation/score" in line)
    expected = {name.removeprefix("loss/"): value for name, value in losses.items() if name.startswith("loss/")}
    expected |= {"score": score, "step": 10, "clips": 10 * 4}  # the small model's batches have four clips

    def told() -> dict[str, float]:
        values = {labels["loss"]: value for labels, value in samples("ray_s2v_train_loss", **tags)}
        names = {"score": "validation_score", "step": "step", "clips": "clips_total"}
        return values | {each: total(f"ray_s2v_train_{name}", **tags) for each, name in names.items()}

    wait_for(lambda: told() == pytest.approx(expected), "the losses, the score, steps and clips")
    ((labels, waited),) = samples("ray_s2v_train_waiting_seconds_total", **tags)
    assert labels == {**tags, "rank": "0"}
    assert 0 < waited < 60
