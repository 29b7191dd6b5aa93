"""Shared by the tests of finding videos."""

from pathlib import Path
from typing import Any

from s2v_ray.preparation.sources.find import find_sources


def touch(root: Path, *names: str) -> Path:
    """Create files of these names in a folder; they aren't really videos. Returns the folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"video")
    return root


def found_names(*locations: object, **options: Any) -> list[str]:
    sources, missing = find_sources([str(location) for location in locations], **options)
    assert missing == []
    return [source.name for source in sources]
