"""The wheel and the sdist: what is in them, and the version that they get."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PACKAGED = ["pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"]


def python(*arguments, folder, **environment):
    """Run Python there without this checkout on its path; returns what it prints."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist of a copy of the sources as version 0.7.0, with things lying about that belong in neither."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGED:
        shutil.copy(ROOT / name, source)
    for name in ("s2v_ray", "jobs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests/test_a.py", "runs/x/ema.safetensors", "scratch/a.mp4", "a.wav"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("not for the package")
    out = tmp_path_factory.mktemp("dist")
    arguments = ("-m", "build", "--no-isolation", "--outdir", str(out))
    python(*arguments, folder=source, SETUPTOOLS_SCM_PRETEND_VERSION="0.7.0")
    return out


def test_wheel_and_sdist_hold_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built / "s2v_ray-0.7.0-py3-none-any.whl") as wheel:
        in_wheel = set(wheel.namelist())
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "s2v_ray").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"s2v_ray/py.typed", "s2v_ray/config/presets/tiny.toml"} < files
    assert {name for name in in_wheel if not name.startswith("s2v_ray-0.7.0.dist-info/")} == files
    with tarfile.open(built / "s2v_ray-0.7.0.tar.gz") as sdist:
        in_sdist = {name.removeprefix("s2v_ray-0.7.0/") for name in sdist.getnames()}
        assert sum(member.size for member in sdist.getmembers()) < 4e6
    assert {name for name in in_sdist if name.startswith("s2v_ray/")} == files
    others = {name for name in in_sdist if not name.startswith(("s2v_ray/", "jobs/"))}
    assert others == {*PACKAGED, "PKG-INFO", ".gitignore"} & others
    assert {*PACKAGED, "PKG-INFO"} <= others


def test_an_index_would_take_them(built):
    checked = python("-m", "twine", "check", "--strict", *map(str, sorted(built.iterdir())), folder=built)
    assert checked.count("PASSED") == 2


def test_the_wheel_runs_where_the_code_is_not(built, tmp_path):
    install = ("-m", "uv", "pip", "install", "--no-deps", "--offline", "--no-cache", "--target", "installed")
    python(*install, str(built / "s2v_ray-0.7.0-py3-none-any.whl"), folder=tmp_path)
    inside = {"PYTHONPATH": str(tmp_path / "installed")}
    assert python("-m", "s2v_ray", "--version", folder=tmp_path, **inside) == "s2v 0.7.0"
    code = "import s2v_ray; from s2v_ray.config.load import load_config; load_config('tiny'); print(s2v_ray.__file__)"
    assert python("-c", code, folder=tmp_path, **inside).startswith(str(tmp_path))


def test_the_version_is_the_tags_and_elsewhere_the_next_ones(tmp_path):
    def version(folder, **environment):
        return python("-m", "hatchling", "version", folder=folder, **environment)

    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    fallback = version(tmp_path)  # a folder that git doesn't know
    assert Version(fallback).is_devrelease
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    untagged = Version(version(tmp_path))
    assert (untagged.release, untagged.dev) == (Version(fallback).release, 1)
    assert version(tmp_path, PATH="/nonexistent") == fallback  # a machine without git
    git(tmp_path, "tag", "v0.8.0")
    assert version(tmp_path) == "0.8.0"
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "two")
    assert Version("0.8.0") < Version(version(tmp_path)) < Version("0.8.1")


def test_an_archive_of_a_tag_knows_its_version(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", ".gitattributes", ".git_archival.txt"):
        shutil.copy(ROOT / name, source)
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "one")
    git(source, "tag", "v0.8.0")
    (tmp_path / "a.tar").write_bytes(git(source, "archive", "v0.8.0"))
    with tarfile.open(tmp_path / "a.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert python("-m", "hatchling", "version", folder=tmp_path / "unpacked") == "0.8.0"


def test_the_source_folder_says_that_it_is_not_installed():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import s2v_ray; print(s2v_ray.__version__)"
    printed = python("-I", "-S", "-c", code, folder=ROOT)  # without site-packages
    assert Version(printed).local == "not.installed"
