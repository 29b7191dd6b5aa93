"""Marks what is known to be at fault, so that its mending is noticed."""

import pytest
from robustness.known import OPEN


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "robustness" in item.path.parts and item.name in OPEN:
            item.add_marker(pytest.mark.xfail(strict=True, reason=OPEN[item.name]))
