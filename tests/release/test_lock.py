"""uv.lock: it satisfies pyproject.toml, comes from PyPI alone, and is what clusters and images run."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def uv(*arguments, folder=ROOT):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("UV_", "VIRTUAL_ENV"))}
    command = [UV, *arguments, "--offline", "--no-cache", "--no-config"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def lock():
    return tomllib.loads((ROOT / "uv.lock").read_text())


def locked_version(lock, name):
    (version,) = {package["version"] for package in lock["package"] if package["name"] == name}
    return version


def check_lock(folder):
    return uv("lock", "--check", "--python", sys.executable, folder=folder)


def test_the_lock_satisfies_the_project(tmp_path):
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    done = check_lock(tmp_path)
    assert done.returncode == 0, f"{done.stderr}\nRun `uv lock` and commit uv.lock."
    project = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(project.replace('"rich>=13.7"', '"rich>=99"'))
    assert check_lock(tmp_path).returncode != 0


def test_every_file_is_pypis_and_has_a_hash(lock):
    assert set(re.findall(r"\w+://[^/\"]*", (ROOT / "uv.lock").read_text())) == {
        "https://pypi.org",
        "https://files.pythonhosted.org",
    }
    for package in lock["package"]:
        if package["name"] != "s2v-ray":
            assert package["source"] == {"registry": "https://pypi.org/simple"}
            files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
            assert files
            assert all(file["hash"].startswith("sha256:") for file in files)


def test_clusters_run_the_locked_ray(lock):
    ray = locked_version(lock, "ray")
    job, service = (yaml.safe_load((ROOT / "jobs" / f"{name}.yaml").read_text()) for name in ("rayjob", "rayservice"))
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == ray
    assert service["spec"]["rayClusterConfig"]["rayVersion"] == ray
    for name in ("cluster.yaml", "cluster-local.yaml"):
        assert f"'ray[default]=={ray}'" in (ROOT / name).read_text()


def test_what_a_cpu_image_installs_with_hashes_needs_neither_torch_nor_cuda():
    export = ("export", "--frozen", "--no-emit-project", "--no-header", "--extra", "serve", "--python", sys.executable)
    every, without = (
        set(re.findall(r"^([a-z0-9.-]+)==", uv(*export, *pruned).stdout, re.MULTILINE))
        for pruned in ((), ("--prune", "torch", "--prune", "torchaudio"))
    )
    assert {"torch", "torchaudio", "nvidia-cudnn-cu13", "triton", "ray", "torchmetrics"} <= every
    assert {"ray", "torchmetrics", "numpy", "fastapi"} <= without < every
    assert not [name for name in without if name.startswith(("nvidia", "cuda", "triton")) or name == "torch"]
