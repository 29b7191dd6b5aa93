"""`s2v info` of a run that trains, or that has ended in one way or another."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.scripting import answer_of
from helpers.waiting import wait_until

from s2v_ray.cli.main import main
from s2v_ray.cli.status_text import status_text
from s2v_ray.training.run_status import RunStatus, StatusWriter, read_status
from s2v_ray.training.schedule import TrainingStatus


def info(run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["info", str(run)]) == 0
    return capsys.readouterr().out


def last_step(run: Path) -> int:
    lines = (run / "metrics.jsonl").read_text().splitlines() if (run / "metrics.jsonl").exists() else []
    return max((json.loads(line)["step"] for line in lines), default=0)


def test_info_of_a_run_that_trains_and_of_one_that_was_killed(small_clips, small_model, tmp_path, capsys):
    run = tmp_path / "run"
    flags = ["--clips", str(small_clips), "--out", str(run), "--config", str(small_model), "--steps", "100000"]
    command = [sys.executable, "-m", "s2v_ray", "train", *flags, "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2]) as process:
        try:
            wait_until(lambda: (status := read_status(str(run))) and status.values, "a first status")
            text = info(run, capsys)
            (step,) = re.findall(r"Running: step ([\d,]+), \d+ % of its budget, [\d:]+ left; \S+ clips/s, ", text)
            assert 0 < int(step.replace(",", "")) <= last_step(run)
            assert re.search(r"^Started [\d:]+ ago on \S+; last sign [\d:]+ ago\.$", text, re.MULTILINE)
            assert re.search(r"^Last losses: .*reconstruction \d", text, re.MULTILINE)
        finally:
            process.send_signal(signal.SIGKILL)
    assert re.search(
        r"^Not running: its last sign is of [\d:]+ ago .* killed; the same s2v train", info(run, capsys), re.M
    )


def test_info_of_a_run_that_has_finished(small_run, capsys):
    assert re.search(r"^Finished [\d:]+ ago: step 8, 100 % of its budget\.$", info(small_run, capsys), re.MULTILINE)


def test_a_run_elsewhere_is_known_by_its_signs_alone(tmp_path):
    status = RunStatus("running", "another-host", 1000.0, 1300.0, 40, 0.25, 900.0, 6.0, 0.05, {"loss/image": 0.5})
    text = status_text(str(tmp_path), status, now=1360.0)
    assert text.splitlines() == [
        "Running: step 40, 25 % of its budget, 15:00 left; 6 clips/s, 5 % of the time waiting for clips.",
        "Started 6:00 ago on another-host; last sign 1:00 ago.",
        "Last losses: image 0.5.",
    ]
    assert "Not running: its last sign is of 11:40 ago" in status_text(str(tmp_path), status, now=2000.0)


def test_a_run_of_this_machine_in_an_object_store_has_no_lock_that_could_tell():
    status = RunStatus("running", socket.gethostname(), 1000.0, 1300.0, 40, 0.25, 900.0)
    assert "Running: step 40" in status_text("s3://bucket/runs/sea", status, now=1360.0)
    assert "Not running" in status_text("s3://bucket/runs/sea", status, now=2000.0)


def test_a_run_says_how_it_ended(tmp_path, capsys):
    with pytest.raises(ValueError, match="no"), StatusWriter(str(tmp_path), 3):
        raise ValueError("no memory")
    status = read_status(str(tmp_path))
    assert status is not None
    assert (status.state, status.step, status.failure) == ("failed", 3, "no memory")
    with StatusWriter(str(tmp_path), 3) as writer:
        writer.end(5, finished=False)
    assert "Stopped 0:00 ago: step 5" in status_text(str(tmp_path), read_status(str(tmp_path)))
    with pytest.raises(KeyboardInterrupt), StatusWriter(str(tmp_path), 6):
        raise KeyboardInterrupt  # a second Ctrl-C
    assert "Stopped 0:00 ago: step 6" in status_text(str(tmp_path), read_status(str(tmp_path)))
    assert main(["info", str(tmp_path), "--json"]) == 0
    answer = answer_of(capsys.readouterr().out, "info RUN before the first checkpoint")
    assert (answer["status"]["state"], answer["status"]["step"]) == ("stopped", 6)


def test_a_clock_that_was_set_back_silences_no_run(tmp_path):
    times = iter([5000.0, 5000.0, 1000.0, 1000.0])
    writer = StatusWriter(str(tmp_path), 0, clock=lambda: next(times))
    writer(TrainingStatus(10, 0.5, 60.0, 80, 8.0, 0.0, 0.0, {}))
    status = read_status(str(tmp_path))
    assert status is not None
    assert (status.step, status.updated) == (10, 1000.0)


STATUS = {"state": "running", "host": "node", "started": 1000.0, "updated": 1300.0}


@pytest.mark.parametrize(
    "content",
    [
        '{"state": 3}',
        "[" * 100_000,
        *(
            json.dumps({**STATUS, **wrong})
            for wrong in (
                {"updated": float("nan")},
                {"started": float("inf")},
                {"seconds_left": 1e300},
                {"done": 10**400},
                {"values": {"loss/image": float("nan")}},
                {"host": "\x1b[2Jnode"},
                {"failure": "\x1b]0;title\x07"},
            )
        ),
    ],
)
def test_a_strangers_status_that_says_nothing_is_left_out(content, tmp_path):
    (tmp_path / "status.json").write_text(json.dumps(STATUS))
    assert read_status(str(tmp_path)) is not None
    (tmp_path / "status.json").write_text(content)
    assert read_status(str(tmp_path)) is None
