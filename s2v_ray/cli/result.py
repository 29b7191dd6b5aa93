"""What a verb returns for `--json`: numbers, paths and the commands to give next, as a dictionary."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from s2v_ray.errors import UserError

# `outputs` maps names to the paths that were written, `next` lists commands; the other keys are the verb's own, and
# docs/scripting.md names them all.
Result = dict[str, Any]


class PartlyDoneError(UserError):
    """Some of what was asked for is there, and some failed; `result` is what the verb would have returned."""

    def __init__(self, code: str, message: str, result: Result) -> None:
        super().__init__(code, message)
        self.result = result


def plain(value: Any) -> Any:
    """The value as what JSON knows: dataclasses are objects, paths strings, fractions numbers, NaN and inf null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [plain(each) for each in value]
    if isinstance(value, Fraction):
        return float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
