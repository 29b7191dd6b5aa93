"""What metrics compute of one video alone, such as its motion energy, is computed once while the video lives."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

P = ParamSpec("P")
R = TypeVar("R")


def version(video: Tensor) -> int:
    """Another number after each change in place."""
    return 0 if video.is_inference() else video._version  # inference tensors don't count them


def once_per_video(function: Callable[Concatenate[Tensor, P], R]) -> Callable[Concatenate[Tensor, P], R]:
    """A pure function of a tensor (and of hashable arguments) that remembers what it returned.

    What it remembers goes with the tensor, and doesn't hold for one that was changed in place since. It must not return
    a tensor that callers change.
    """
    known = WeakTensorKeyDictionary()  # by identity

    @wraps(function)
    def remembering(video: Tensor, /, *args: P.args, **kwargs: P.kwargs) -> R:
        versions = tuple(version(value) for value in (video, *args) if isinstance(value, Tensor))
        key = (versions, args, *kwargs.items())  # a tensor is equal to itself alone
        results: dict[Any, R] = known.setdefault(video, {})
        if key not in results:
            results[key] = function(video, *args, **kwargs)
        return results[key]

    return remembering
