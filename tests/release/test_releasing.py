"""`.ci/release.py`: a release's version in the files that name it, and its notes."""

import importlib.util
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("release_script", ROOT / ".ci" / "release.py")
release = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(release)


@pytest.fixture
def tree(tmp_path):
    for name in (*release.NAMING_FILES, "CHANGELOG.md", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    if "## Unreleased" not in changelog:  # the commit of a release
        (tmp_path / "CHANGELOG.md").write_text(changelog.replace("\n## ", "\n## Unreleased\n\n- News.\n\n## ", 1))
    return tmp_path


def last_released():
    return next(name for name in release.sections((ROOT / "CHANGELOG.md").read_text()) if name != "Unreleased")


def test_all_files_name_the_last_release_and_the_next_one_is_higher():
    assert release.notes(ROOT, f"v{last_released()}")
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == last_released()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    fallback = Version(project["tool"]["hatch"]["version"]["fallback-version"])
    assert fallback > Version(last_released())
    assert fallback.is_devrelease


def test_opening_a_release_writes_its_version_everywhere(tree):
    unreleased = release.sections((tree / "CHANGELOG.md").read_text())["Unreleased"]
    release.open_release(tree, "41.5.0")
    assert release.notes(tree, "v41.5.0") == unreleased
    for name in release.NAMING_FILES:
        text = (tree / name).read_text()
        assert "41.5.0" in text
        # Nothing else changed, such as the version of Ray.
        assert text.replace("41.5.0", last_released()) == (ROOT / name).read_text()
    assert 'fallback-version = "41.6.0.dev0"' in (tree / "pyproject.toml").read_text()
    assert re.search(r"s2v_ray\.git@v41\.5\.0'", (tree / "cluster.yaml").read_text())


def test_a_tag_without_notes_or_whose_files_name_another_version_is_no_release(tree):
    with pytest.raises(ValueError, match=r"no section '## 9\.9\.9'"):
        release.notes(tree, "v9.9.9")
    release.open_release(tree, "9.9.9")
    (tree / "CITATION.cff").write_text((ROOT / "CITATION.cff").read_text())
    with pytest.raises(ValueError, match=r"CITATION\.cff names"):
        release.notes(tree, "v9.9.9")


def test_a_release_needs_news_and_a_number(tree):
    with pytest.raises(ValueError, match="'v1'"):
        release.open_release(tree, "v1")
    release.open_release(tree, "9.9.9")
    with pytest.raises(ValueError, match="Unreleased"):
        release.open_release(tree, "9.9.10")
