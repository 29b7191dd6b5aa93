"""Ray that can't be started or joined: one sentence with the cause."""

import os
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ray
CONNECT = "from s2v_ray.cluster.connect import connect; connect()"


def error_of(**variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("RAY_TMPDIR", "RAY_ADDRESS")}
    command = [sys.executable, "-c", CONNECT]
    done = subprocess.run(command, env={**environment, **variables}, capture_output=True, check=False, text=True)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_a_folder_whose_path_is_too_long_for_sockets(tmp_path):
    folder = tmp_path / ("n" * 100)
    folder.mkdir()
    error = error_of(TMPDIR=str(folder))
    assert "UserError" in error
    assert f"TMPDIR, '{folder}'" in error
    assert "107 bytes" in error


def test_a_cluster_that_is_not_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        assert f"RAY_ADDRESS '{address}' can't be joined (" in error_of(RAY_ADDRESS=address)
