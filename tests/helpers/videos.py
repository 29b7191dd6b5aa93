"""The videos that tests decode: the project's own, and real ones beside the repository where somebody put them."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

MEDIA = Path(__file__).parents[1] / "fixtures" / "media"
REAL = Path(__file__).parents[3] / "shared" / "clips"
needs_real_videos = pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real videos is not here")


def own(name: str, *values: object) -> "ParameterSet":
    """One of tests/fixtures/media, and what is known of it, as a parameter of a test."""
    return pytest.param(MEDIA / name, *values, id=name)


def real(name: str, *values: object, slow: bool = False) -> "ParameterSet":
    """One of the real videos, likewise; skipped where they are missing."""
    marks = [needs_real_videos, *([pytest.mark.slow] if slow else [])]
    return pytest.param(REAL / name, *values, id=Path(name).name, marks=marks)
