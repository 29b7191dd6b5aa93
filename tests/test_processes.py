"""`pytest -n 2 --dist loadgroup`: what must not run at the same time."""

import pytest


def test_a_group_of_tests_runs_in_one_process(request):
    if not request.config.getoption("loadgroup", False):
        pytest.skip("needs --dist loadgroup")
    assert request.node.nodeid.endswith("@tests/test_processes.py")
