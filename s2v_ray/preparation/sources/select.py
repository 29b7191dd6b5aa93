"""Choosing by label."""

import difflib
from collections import Counter
from collections.abc import Iterable
from typing import Protocol, TypeVar

from s2v_ray.errors import UserError

_NAMED = 10  # labels that a refusal offers


class Labelled(Protocol):
    """Anything with labels."""

    @property
    def labels(self) -> tuple[str, ...]: ...


Item = TypeVar("Item", bound=Labelled)


def select_labels(items: Iterable[Item], wanted: tuple[str, ...], where: str) -> list[Item]:
    """The items with one of the `wanted` labels, case aside; all of them where none is wanted.

    Raises UserError for a wanted label that nothing has, with the closest ones, or else the most frequent.
    """
    if not wanted:
        return list(items)
    lowered = {label.casefold() for label in wanted}
    chosen, counts = [], Counter[str]()
    for item in items:
        counts.update(item.labels)
        if not lowered.isdisjoint(label.casefold() for label in item.labels):
            chosen.append(item)
    there = {label.casefold(): label for label in counts}
    for label in wanted:
        if label.casefold() not in there:
            raise UserError(f"--select '{label}' is no label in {where}; {_offer(label.casefold(), there, counts)}.")
    return chosen


def _offer(wanted: str, there: dict[str, str], counts: Counter[str]) -> str:
    close = difflib.get_close_matches(wanted, there, n=_NAMED)
    close += [label for label in there if wanted and wanted in label and label not in close][: _NAMED - len(close)]
    if close:
        return f"the closest are {', '.join(repr(there[label]) for label in close)}"
    if not counts:
        return "it has no labels (where there is no manifest, they are the names of folders)"
    named = ", ".join(repr(label) for label, _ in counts.most_common(_NAMED))
    return f"it has {named}" + (f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else "")
