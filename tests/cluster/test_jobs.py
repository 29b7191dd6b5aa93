"""The verbs as jobs, what they refuse, and what a cluster that grows is asked for; no job is submitted here."""

import ipaddress
import signal
import subprocess
import sys

import pytest

from s2v_ray.cli.job import run
from s2v_ray.cli.main import main
from s2v_ray.errors import UserError

SECRETS = ["s3://AKIAXYZ:hunter2@bucket/clips", "s3://AKIAXYZ:hun/ter2@bucket", "--out=abfs://me:hunter2@box/runs"]


@pytest.mark.parametrize("uri", SECRETS)
@pytest.mark.parametrize("verb", ["prepare", "train", "evaluate", "generate", "info"])
def test_a_password_in_a_uri_is_refused_and_never_shown(verb, uri, capsys):
    assert main([verb, "--out", uri, "--videos", "x", "--image", uri]) == 1
    output = "".join(capsys.readouterr())
    assert "holds a password" in output
    assert "hun" not in output
    assert "AKIA" not in output


@pytest.mark.parametrize("uri", ["s3://bucket/clips", "gs://anonymous@bucket/clips", "hdfs://host:9000/a@b"])
def test_uris_without_one_are_not_taken_for_it(uri, capsys):
    main(["train", "--clips", "x", "--out", uri])
    assert "password" not in capsys.readouterr().err


def test_a_job_does_not_write_where_ray_removes_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    for arguments in (["--out", "runs/mine"], ["--out=runs/mine"]):
        assert run("train", ["--clips", "s3://bucket/clips", *arguments]) == 1
        assert "--out 'runs/mine' is a relative path" in capsys.readouterr().err
    assert run("train", ["--out", str(tmp_path / "run")]) == 2
    assert "--clips" in capsys.readouterr().err  # it came to the verb, whose status it returns
    assert not list(tmp_path.iterdir())


def test_sigterm_ends_a_verb_with_a_sentence_and_its_own_status(tmp_path):
    command = [sys.executable, "-m", "s2v_ray", "synth", "--domain", "sea", "--sources", "1000", "--out", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        while not list(tmp_path.glob("sea_*.mp4")):
            assert process.poll() is None
        process.terminate()
        output = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert output == "s2v synth: stopped; nothing unfinished is left.\n"


def test_a_cluster_that_grows_is_asked_for_what_it_has_not_yet(capsys):
    from s2v_ray.cluster.resources import scaling

    with pytest.raises(UserError, match="8 workers with --device cuda need 8 GPUs, but the cluster has 0"):
        scaling((8, 8), "cuda", {})
    asked = scaling((8, 8), "cuda", {}, grows=True)
    assert (asked.num_workers, asked.use_gpu, asked.resources_per_worker) == (8, True, {"CPU": 1.0})
    assert "waiting for its autoscaler" in capsys.readouterr().out
    asked = scaling((1, 8), "cuda", {"CPU": 16.0, "GPU": 2.0}, grows=True)
    assert (asked.num_workers, asked.use_gpu) == ((1, 8), True)
    assert not scaling((2, 2), "auto", {"CPU": 2.0}, grows=True).use_gpu
    assert capsys.readouterr().out == ""


LISTENING = """
from s2v_ray.cluster.connect import connect, grows
import psutil

connect()
assert not grows()
for process in psutil.Process().children(recursive=True):
    for connection in process.net_connections("inet"):
        if connection.status == psutil.CONN_LISTEN:
            print(connection.laddr.ip)
"""


@pytest.mark.ray
def test_a_cluster_started_here_listens_on_loopback_alone(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    listening = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True, check=True)
    addresses = [ipaddress.ip_address(line.removeprefix("::ffff:")) for line in listening.stdout.split()]
    assert len(addresses) > 5  # of the control store, the node's manager, its agents
    assert all(address.is_loopback for address in addresses)
