"""Memory between the steps of a training."""

import platform
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from s2v_ray.training.allocator import keeping_freed_memory

BYTES = 50 * 2**20


def resident_bytes() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def page_faults_of_a_tensor() -> int:
    for _ in range(20):  # until the heap has a hole for it
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(BYTES // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def main() -> None:
    pages = BYTES // resource.getpagesize()
    resident_before = resident_bytes()
    assert page_faults_of_a_tensor() > pages / 600  # a fault brings a page, or 512 where Linux makes huge ones
    with keeping_freed_memory():
        assert page_faults_of_a_tensor() < 10
        assert resident_bytes() - resident_before > BYTES / 2
    assert resident_bytes() - resident_before < BYTES / 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_memory_of_a_tensor_is_used_for_the_next_one_and_given_back_at_the_end():
    subprocess.run([sys.executable, __file__], check=True)


if __name__ == "__main__":
    main()
