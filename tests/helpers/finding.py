"""What the tests of finding videos share."""

from pathlib import Path

from s2v_ray.preparation.sources.find import find_sources


def touch(root: Path, *names: str) -> Path:
    """Files of these names, which are no videos, in a folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"video")
    return root


def found_names(*locations: object, **options: object) -> list[str]:
    sources, missing = find_sources([str(location) for location in locations], **options)
    assert missing == []
    return [source.name for source in sources]
