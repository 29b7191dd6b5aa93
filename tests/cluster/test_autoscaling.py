"""A cluster that has no node but its head: its autoscaler adds nodes for what waits, and takes them away again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.nodes import free_port, ray_start
from helpers.small import SMALL_CLIPS
from helpers.waiting import wait_until

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.checkpoint_files import last_checkpoint

pytestmark = [pytest.mark.ray, pytest.mark.slow]

_HEAD = "f" * 51 + "00000"
_EMPTY = ("setup_commands", "head_setup_commands", "worker_setup_commands", "initialization_commands")
_EMPTY += ("head_start_ray_commands", "worker_start_ray_commands", "cluster_synced_files")


def autoscaling(port: int) -> dict[str, object]:
    """As cluster.yaml says it, with Ray's provider of nodes that are processes of this machine."""
    module = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
    provider = {"type": "external", "module": module, "gcs_address": f"127.0.0.1:{port}", "head_node_id": _HEAD}
    return {
        "cluster_name": "grows",
        "max_workers": 2,
        "provider": {**provider, "launch_multiple": True},
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "workers": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2},
        },
        "head_node_type": "ray.head.default",
        "idle_timeout_minutes": 0.3,
        **{key: [] for key in _EMPTY},
    }


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of such a cluster."""
    port, config = free_port(), tmp_path / "autoscaling.json"
    config.write_text(json.dumps(autoscaling(port)))
    flags = ["--num-cpus=0", "--include-dashboard=false", "--dashboard-agent-listen-port=0"]
    env = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_NODE_TYPE_NAME": "ray.head.default"}
    env |= {
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": _HEAD,
        "RAY_CLOUD_INSTANCE_ID": _HEAD,
        "RAY_enable_autoscaler_v2": "1",
    }
    with ray_start(port, *flags, f"--autoscaling-config={config}", **env):
        yield f"127.0.0.1:{port}"


def cpus(address: str) -> int:
    """How many the cluster has now, as another program sees it: one a node."""
    ask = "import ray; ray.init(log_to_driver=False, logging_level=40); print(ray.cluster_resources().get('CPU', 0))"
    environment = os.environ | {"RAY_ADDRESS": address}
    answer = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True, env=environment)
    return round(float(answer.stdout.split()[-1]))


def s2v(address: str, *arguments: str) -> str:
    """What a verb prints that succeeds."""
    command, environment = [sys.executable, "-m", "s2v_ray", *arguments], os.environ | {"RAY_ADDRESS": address}
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_cluster_of_no_nodes_grows_for_its_work(address, small_videos, small_clips, small_model, tmp_path):
    clips, run = tmp_path / "clips", tmp_path / "run"
    assert cpus(address) == 0
    s2v(address, "prepare", "--videos", str(small_videos), "--out", str(clips), *SMALL_CLIPS)
    assert ClipReader(clips, "train").fingerprint == ClipReader(small_clips, "train").fingerprint
    assert cpus(address) > 0
    wait_until(lambda: cpus(address) == 0, "the nodes to be taken away")
    train = ["train", "--clips", str(small_clips), "--out", str(run), "--config", str(small_model), "--workers", "2"]
    output = s2v(address, *train, "--steps", "4")
    assert "the cluster has 0 GPUs and 0 CPUs; waiting for its autoscaler" in output
    assert str(last_checkpoint(run)).endswith("step_00000004")
    assert cpus(address) == 2
