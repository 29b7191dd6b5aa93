"""What the scripts of jobs/ say in a Python without the libraries, as Ray gives them where it was started from one."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    path.name for path in sorted((ROOT / "jobs").glob("*.py")) if path.name not in ("needs.py", "serve_client.py")
]


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_which_python_runs_it_and_what_that_lacks(bare_python, script):
    environment = {name: value for name, value in os.environ.items() if name != "RAY_JOB_CONFIG_JSON_ENV_VAR"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([bare_python, f"jobs/{script}"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"jobs/{script}: {bare_python} (Python 3." in done.stderr
    assert "has no module '" in done.stderr
    assert "Run it by the Python that s2v_ray is installed in: .venv/bin/python. [wrong_python]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_is_told_how_to_start_ray(bare_python):
    environment = {**os.environ, "RAY_JOB_CONFIG_JSON_ENV_VAR": "{}", "PYTHONPATH": str(ROOT)}
    command = [bare_python, "jobs/train.py", "--help"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no module 'tyro'" in done.stderr
    assert "source .venv/bin/activate && ray stop && ray start --head" in done.stderr
    assert "--runtime-env jobs/runtime_env_uv.yaml" in done.stderr
