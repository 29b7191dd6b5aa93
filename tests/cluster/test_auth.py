"""A cluster with token authentication: who has the token submits jobs, and nobody else gets in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.nodes import ROOT, free_port, ray_start
from helpers.small import SMALL_CLIPS
from helpers.waiting import wait_until

from s2v_ray.dataset.reader import ClipReader

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """A command with Ray's authentication on."""
    variables = os.environ | {"RAY_AUTH_MODE": "token"} | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT, env=variables)


def test_only_who_has_the_token_gets_in(small_videos, small_clips, tmp_path):
    port, dashboard, token, clips = free_port(), free_port(), "t" * 40, tmp_path / "clips"
    flags = ["--num-cpus=1", "--include-dashboard=true", f"--dashboard-port={dashboard}"]
    submit = [str(Path(sys.executable).with_name("ray")), "job", "submit", f"--address=http://127.0.0.1:{dashboard}"]
    submit += ["--runtime-env", "jobs/runtime_env.yaml", "--", sys.executable, "jobs/prepare.py"]
    submit += ["--videos", str(small_videos), "--out", str(clips), *SMALL_CLIPS]
    join = [sys.executable, "-c", f"import ray; ray.init('127.0.0.1:{port}')"]
    with ray_start(port, *flags, "--dashboard-agent-listen-port=0", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token):
        refused = run(submit, RAY_AUTH_TOKEN="w" * 40)
        assert refused.returncode != 0
        assert "nvalid authentication token" in refused.stdout + refused.stderr
        assert run(join, RAY_AUTH_TOKEN="w" * 40).returncode != 0
        assert run(join, RAY_AUTH_TOKEN=token).returncode == 0
        assert not clips.exists()

        def submitted() -> bool:
            done = run(submit, RAY_AUTH_TOKEN=token)
            assert done.returncode == 0 or "No available agent" in done.stderr, done.stdout + done.stderr
            return done.returncode == 0

        wait_until(submitted, "an agent that takes the job")
    assert ClipReader(clips, "train").fingerprint == ClipReader(small_clips, "train").fingerprint
