"""Small synthetic videos, their clips, and a run on these, which the tests share."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before Ray is imported: a quiet, private cluster that polls often.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_AUTH_MODE="disabled",
    RAY_TRAIN_HEALTH_CHECK_INTERVAL_S="0.1",
    RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S="60",
    RAY_worker_niceness="0",  # beside another process with tests, nicer ones would starve
    # Of the object store in tests/helpers/object_store.py: Ray's workers inherit the environment that Ray starts with.
    AWS_ACCESS_KEY_ID="the-key",
    AWS_SECRET_ACCESS_KEY="the-secret",
    AWS_REGION="us-east-1",
)

# With `pytest -n`, before torch is imported: a core for each process.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from helpers.small import SMALL_CLIPS, SMALL_MODEL

from s2v_ray.cli.main import main
from s2v_ray.synthetic.write import synthesize


def pytest_configure(config: pytest.Config) -> None:
    """With `pytest -n`, files are begun in the order below, and not by their number of tests."""
    if config.pluginmanager.hasplugin("xdist"):
        config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `pytest -n`, all tests that start Ray share one process, and so its cluster; others go by their files.

    Ray's are begun first, since together they take longest, and then the files with most tests: so both processes
    end at about the same time.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        return
    groups = {item: group_of(item) for item in items}
    sizes = Counter(groups.values()) | Counter({"ray": len(items)})
    items.sort(key=lambda item: -sizes[groups[item]])
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))


def group_of(item: pytest.Item) -> str:
    if mark := item.get_closest_marker("xdist_group"):
        return str(mark.args[0])
    return "ray" if item.get_closest_marker("ray") else item.nodeid.partition("::")[0]


@pytest.fixture(scope="session")
def small_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic videos of 1.6 s."""
    folder = tmp_path_factory.mktemp("videos")
    synthesize("sea", folder, sources=6, seed=5, seconds=1.6, size=48)
    return folder


@pytest.fixture(scope="session")
def small_clips(small_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of these, prepared without Ray: four sources to train on, one to validate on, one to test on."""
    folder = tmp_path_factory.mktemp("clips") / "sea"
    assert main(["prepare", "--videos", str(small_videos), "--out", str(folder), "--local", *SMALL_CLIPS]) == 0
    return folder


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of `small_config` as a TOML file."""
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(SMALL_MODEL)
    return path


@pytest.fixture(scope="session")
def small_run(small_clips: Path, small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of eight steps."""
    run = tmp_path_factory.mktemp("runs") / "sea"
    arguments = ["--clips", str(small_clips), "--out", str(run), "--config", str(small_model), "--steps", "8"]
    assert main(["train", *arguments]) == 0
    return run


@pytest.fixture(scope="session")
def two_worker_run(
    ray_cluster: None, small_clips: Path, small_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same run by two workers, with its checkpoints after four, six and eight steps."""
    folder = tmp_path_factory.mktemp("two_workers")
    (folder / "clips").symlink_to(small_clips)
    arguments = ["--clips", "clips", "--out", "run", "--config", str(small_model), "--workers", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # relative paths are the caller's, not the workers'
        assert main(["train", *arguments, "--training.save-every-steps", "2", "--steps", "8"]) == 0
    return folder / "run"


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One Ray of two CPUs for all tests that need one."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
