"""`s2v serve` as a user starts it: it answers, counts what it did, and ends when it is told to."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cluster.test_service import free_port, picture, sound
from helpers.scripting import answer_of
from helpers.waiting import wait_until

ENDS = ("ok", "too_long")


@pytest.mark.ray
@pytest.mark.slow
def test_it_answers_counts_and_ends_with_status_0(small_run, tmp_path):
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "s2v_ray", "serve", "--checkpoint", f"sea={small_run}", "--port", str(port)]
    answer = tmp_path / "answer"
    with log.open("w") as text, answer.open("w") as output:
        service = subprocess.Popen(
            [*command, "--max-seconds", "5", "--json"], stdout=output, stderr=text, cwd=Path(__file__).parents[2]
        )
    try:
        wait_until(lambda: "Next: curl" in log.read_text() or service.poll() is not None, "the service")
        assert f"Serving sea at http://127.0.0.1:{port}" in log.read_text()
        wait_until(answer.read_text, "the service's address")
        told = answer_of(answer.read_text(), "serve")
        assert told["address"] == f"http://127.0.0.1:{port}"

        def status(seconds: float) -> int:
            files = {"image": ("a", picture()), "sound": ("b", sound(seconds))}
            return httpx.post(f"http://127.0.0.1:{port}/generate", files=files, timeout=300).status_code

        assert [status(0.4), status(6.0)] == [200, 422]
        address = told["metrics"]

        def counted() -> bool:
            lines = httpx.get(address, timeout=60).text.splitlines()
            requests = [line for line in lines if line.startswith("ray_s2v_requests_total")]
            frames = [float(line.split()[-1]) for line in lines if line.startswith("ray_s2v_frames_total")]
            # 0.4 s of sound at the small model's 25 frames a second.
            return all(any(f'outcome="{end}"' in line for line in requests) for end in ENDS) and sum(frames) == 10

        wait_until(counted, "the metrics")
        service.send_signal(signal.SIGINT)
        assert service.wait(240) == 0
        assert "Stopped." in log.read_text()
    finally:
        service.kill()
