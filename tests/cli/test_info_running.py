"""`s2v info` of a run that trains, or that has ended in one way or another."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.scripting import answer_of
from helpers.waiting import wait_until

from s2v_ray.cli.main import main
from s2v_ray.cli.status_text import status_text
from s2v_ray.training.run_status import RunStatus, StatusWriter, read_status


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


def test_a_run_says_how_it_ended(tmp_path, capsys):
    with pytest.raises(ValueError, match="no"), StatusWriter(str(tmp_path), 3):
        raise ValueError("no memory")
    status = read_status(str(tmp_path))
    assert status is not None
    assert (status.state, status.step, status.failure) == ("failed", 3, "no memory")
    with StatusWriter(str(tmp_path), 3) as writer:
        writer.end(5, finished=False)
    assert "Stopped 0:00 ago: step 5" in status_text(str(tmp_path), read_status(str(tmp_path)))
    assert main(["info", str(tmp_path), "--json"]) == 0
    answer = answer_of(capsys.readouterr().out, "info RUN before the first checkpoint")
    assert (answer["status"]["state"], answer["status"]["step"]) == ("stopped", 5)
    (tmp_path / "status.json").write_text('{"state": 3}')
    assert read_status(str(tmp_path)) is None
