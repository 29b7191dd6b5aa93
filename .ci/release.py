"""A release's version in the files that name it, and its notes (docs/releasing.md).

`python .ci/release.py open 0.3.0` makes of "Unreleased" 0.3.0, here and wherever the last version stands;
`python .ci/release.py notes v0.3.0` prints that section, with status 1 where the tag has none.
"""

import re
import sys
from pathlib import Path

# Name the version of a release to install or cite: `s2v_ray:0.3.0-cuda`, `s2v_ray.git@v0.3.0`, `version: 0.3.0`.
NAMING_FILES = ("CITATION.cff", "cluster.yaml", "cluster-local.yaml", "jobs/rayjob.yaml", "jobs/rayservice.yaml")
NAMED_VERSION = re.compile(r"(s2v_ray(?::|\.git@v)|^version: )(\d+\.\d+\.\d+)", re.MULTILINE)


def sections(changelog: str) -> dict[str, str]:
    """The changelog's sections by version, newest first, without their headings."""
    _, *parts = re.split(r"^## (.+)\n", changelog, flags=re.MULTILINE)
    return {version: text.strip() for version, text in zip(parts[::2], parts[1::2], strict=True)}


def notes(root: Path, tag: str) -> str:
    """The changelog's section of a tag such as v0.3.0; raises ValueError where there is none or a file disagrees."""
    version = tag.removeprefix("v")
    found = sections((root / "CHANGELOG.md").read_text())
    if not found.get(version):
        raise ValueError(f"CHANGELOG.md has no section '## {version}' for the tag {tag}: run release.py open {version}")
    for name in NAMING_FILES:
        others = {match[2] for match in NAMED_VERSION.finditer((root / name).read_text())} - {version}
        if others:
            raise ValueError(f"{name} names {', '.join(sorted(others))}, the tag is {tag}")
    return found[version]


def open_release(root: Path, version: str) -> None:
    """Write the version into all files that name one; raises ValueError if it is none, or nothing is unreleased."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ValueError(f"the version '{version}' is not of the form 0.3.0")
    changelog = (root / "CHANGELOG.md").read_text()
    if not sections(changelog).get("Unreleased"):
        raise ValueError("CHANGELOG.md has nothing under '## Unreleased'")
    (root / "CHANGELOG.md").write_text(changelog.replace("## Unreleased\n", f"## {version}\n", 1))
    for name in NAMING_FILES:
        text = (root / name).read_text()
        (root / name).write_text(NAMED_VERSION.sub(lambda match: match[1] + version, text))
    major, minor, _ = version.split(".")
    project = (root / "pyproject.toml").read_text()
    following = f'fallback-version = "{major}.{int(minor) + 1}.0.dev0"'
    (root / "pyproject.toml").write_text(re.sub(r'fallback-version = ".*"', following, project))


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case ["open", version]:
                open_release(Path(), version)
            case ["notes", tag]:
                print(notes(Path(), tag))
            case _:
                sys.exit(__doc__)
    except ValueError as error:
        sys.exit(f"release: {error}")
