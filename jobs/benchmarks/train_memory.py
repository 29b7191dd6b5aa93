"""Peak memory of a training step in a fresh process: python -m benchmarks.train_memory SIDE PRESET CLIPS."""

import re
import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.naive_gan import naive_gan, pix2pix_step
from benchmarks.train_case import CPU, case
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step


def peak_bytes(side: str, preset: str, clips: str) -> tuple[int, int]:
    """The peak memory of a side ("ours", "pix2pix"): of its process beyond the imports, and of a step's own tensors.

    The first is resident memory as the system reports it, with weights, moments and libraries. The second counts only
    tensors that the step makes, gradients included, beyond those that exist between two steps.
    """
    command = [sys.executable, "-m", "benchmarks.train_memory", side, preset, clips]
    jobs = Path(__file__).parents[1]
    output = subprocess.run(command, cwd=jobs, capture_output=True, text=True, check=True).stdout.split()
    return int(output[-2]), int(output[-1])


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are made while it is active, for as long as they live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._bytes: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        arguments = {
            tensor.untyped_storage()._cdata for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)
        }
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in self._bytes and key not in arguments:
                    self._bytes[key] = storage.nbytes()
                    self.now += storage.nbytes()
                    self.peak = max(self.peak, self.now)
                    weakref.finalize(storage, self._forget, key)
        return result

    def _forget(self, key: int) -> None:
        self.now -= self._bytes.pop(key)


def main(side: str, preset: str, clips: str) -> None:
    torch.set_num_threads(2)
    trained = case(preset, clips, training__loader_workers=0)
    imported = _resident_bytes()
    batch = trained.batches(1)[0]
    step: Callable[[], object]
    if side == "ours":
        step = partial(train_step, new_state(trained.config, CPU), batch)
    else:
        step = partial(pix2pix_step, naive_gan(trained.config), batch)
    # The optimisers' moments exist from the second step on.
    for _ in range(2):
        step()
    resident = _resident_bytes() - imported
    with LiveBytes() as tensors:
        step()
    print(resident, tensors.peak)


def _resident_bytes() -> int:
    """The peak of this process so far. (On Linux, getrusage would start from its parent's.)"""
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if not peak:
        raise RuntimeError("This system does not report a process's peak memory in /proc/self/status.")
    return int(peak[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
