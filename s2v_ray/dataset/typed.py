"""Plain values, as JSON has them, as what a type hint says: a stranger's file may hold anything."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def typed(value: Any, kind: Any) -> Any:
    """`value` as a `kind`: str, int, float, bool, None, X | Y, tuple[...], Mapping[str, X], or a dataclass of these.

    A whole number is a float, too. Raises TypeError or KeyError for any other value.
    """
    inner = get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, Mapping):
        hints = _hints(kind)
        return kind(**{name: typed(each, hints[name]) for name, each in value.items()})
    match get_origin(kind):
        case origin if origin in (Union, UnionType):
            return None if value is None and NoneType in inner else typed(value, inner[0])
        case origin if origin is tuple and isinstance(value, list | tuple):
            kinds = [inner[0]] * len(value) if inner[-1] is ... else inner
            return tuple(typed(each, one) for each, one in zip(value, kinds, strict=True))
        case origin if origin is Mapping and isinstance(value, Mapping):
            return {typed(name, inner[0]): typed(each, inner[1]) for name, each in value.items()}
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise TypeError(f"{value!r} is not {kind}")


# Finding them takes longer than all else, and a data set has a record for each source.
_hints = lru_cache(get_type_hints)
