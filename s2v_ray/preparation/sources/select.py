"""Choosing sources by label."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

from s2v_ray.errors import UserError
from s2v_ray.preparation.sources.manifests import Row
from s2v_ray.preparation.sources.source import Source

_NAMED = 10  # labels that an error names

Item = TypeVar("Item", Row, Source)


def select_labels(items: Iterable[Item], wanted: tuple[str, ...], where: str) -> Iterator[Item]:
    """The items with one of the `wanted` labels, in any case; all items if none is wanted.

    After the last one, raises UserError `unknown_label`, with the closest labels, or else the most frequent.
    """
    if not wanted:
        yield from items
        return
    lowered = {label.casefold() for label in wanted}
    counts = Counter[str]()
    for item in items:
        counts.update(item.labels)
        if not lowered.isdisjoint(label.casefold() for label in item.labels):
            yield item
    there = {label.casefold(): label for label in counts}
    for label in wanted:
        if label.casefold() not in there:
            offer = _offer(label.casefold(), there, counts)
            raise UserError("unknown_label", f"--select '{label}' is not a label in {where}; {offer}.")


def _offer(wanted: str, there: dict[str, str], counts: Counter[str]) -> str:
    close = difflib.get_close_matches(wanted, there, n=_NAMED)
    close += [label for label in there if wanted and wanted in label and label not in close][: _NAMED - len(close)]
    if close:
        return f"the closest are {', '.join(repr(there[label]) for label in close)}"
    if not counts:
        return "it has no labels (without a manifest, they are the names of folders)"
    named = ", ".join(repr(label) for label, _ in counts.most_common(_NAMED))
    return f"it has {named}" + (f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else "")
