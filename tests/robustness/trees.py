"""JSON and TOML with values that are wrong, too large, of another type or missing."""

import copy
import math
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

NUMBERS = [*(0, 1, -1, 2, 3, 7, 2**31, 2**31 - 1, 2**63, -(2**63), 10**30)]
NUMBERS += [0.5, -0.0, 1e308, math.inf, -math.inf, math.nan]
TEXTS = ["", "x", "0", "1/0", "1e999", "30", "auto", "../../outside", "/outside", ".."]
TEXTS += ["a\0b", "\n", "\u202e", "é" * 300]
VALUES = st.sampled_from(
    [*NUMBERS, *TEXTS, None, True, False, [], {}, [0], [[]], [None], ["../../outside"], {"x": 1}, {"": {}}, [-1] * 1000]
)


@st.composite
def broken_trees(draw: DrawFn, original: dict[str, Any]) -> dict[str, Any]:
    """One to three values replaced, removed or added, anywhere."""
    tree = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        if not (paths := list(_paths(tree))):
            break
        *above, last = draw(st.sampled_from(paths))
        inside: Any = tree
        for key in above:
            inside = inside[key]
        match draw(st.sampled_from(["replace", "replace", "replace", "near", "remove", "add"])):
            case "near" if type(inside[last]) in (int, float):
                number = inside[last]
                inside[last] = draw(st.sampled_from([number + 1, number - 1, -number, number * 2]))
            case "remove":
                del inside[last]
            case "add" if isinstance(inside, dict):
                inside[draw(st.sampled_from(["x", "", "../../outside", "__class__"]))] = copy.deepcopy(draw(VALUES))
            case _:
                inside[last] = copy.deepcopy(draw(VALUES))
    return tree


def _paths(tree: Any, above: tuple[Any, ...] = ()) -> Any:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield (*above, key)
        yield from _paths(tree[key], (*above, key))
