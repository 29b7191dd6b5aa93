"""A step's own convolutions and matrix products, recorded and replayed alone; and where the rest of the time goes."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
# On CPUs, oneDNN runs a whole LSTM layer as one operation, its matrix products and gates together.
PRODUCTS = {
    aten.convolution,
    aten.convolution_backward,
    aten.mm,
    aten.addmm,
    aten.bmm,
    aten.baddbmm,
    aten.mkldnn_rnn_layer,
    aten.mkldnn_rnn_layer_backward,
}
Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

# By fragments of the operations' names; the first match counts.
_GROUPS = {
    "convolutions and matrix products": ("conv", "rnn", "aten::mm", "addmm", "bmm"),
    "norm": ("group_norm",),
    "activation": ("leaky_relu", "tanh"),
    "copies and fills": ("copy_", "cat", "index", "fill_", "zero_", "gather", "scatter", "clone", "aten::pad"),
    "autograd and the profiler itself": ("autograd::", "profiler"),
}


class Recording(TorchDispatchMode):
    """Keeps every convolution and matrix product, forward and backward, that runs while it is active."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.overloadpacket in PRODUCTS:
            self.calls.append((func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))


def record(step: Callable[[], object]) -> list[Call]:
    """The convolutions and matrix products of a step, with its own tensors, layouts and requested gradients."""
    recording = Recording()
    with recording:
        step()
    return recording.calls


def replay(calls: list[Call]) -> None:
    """Run these calls and nothing else: a lower bound for a step with these layers."""
    with torch.no_grad():
        for func, args, kwargs in calls:
            func(*args, **kwargs)


def spent_by_group(step: Callable[[], object], repeats: int) -> dict[str, float]:
    """Seconds of a step by the kind of its operations, the largest first."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(repeats):
            step()
    seconds: dict[str, float] = defaultdict(float)
    for event in profiler.events():
        seconds[_group(event)] += event.self_cpu_time_total / 1e6 / repeats
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def _group(event: FunctionEvent) -> str:
    ancestor: FunctionEvent | None = event
    while ancestor is not None:
        if ancestor.name.startswith("Optimizer."):
            return "optimiser"
        ancestor = ancestor.cpu_parent
    for group, fragments in _GROUPS.items():
        if any(fragment in event.name for fragment in fragments):
            return group
    return "elementwise and reductions"
