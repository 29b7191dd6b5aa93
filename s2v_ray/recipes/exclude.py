"""Excluding a source of a data set from all that reads clips, and including it again."""

from s2v_ray.dataset.index import DatasetInfo, exclude_source
from s2v_ray.recipes.prepare import write_dataset_card


def exclude(clips: str, source: str, *, excluded: bool) -> DatasetInfo:
    """Exclude a source, or include it again, in `excluded.json`, `dataset.json` and the card.

    What is being trained goes on with the clips that it was started with; to resume it needs them again. Raises
    UserError `unknown_source`, and `locked` while the data set is being prepared.
    """
    info = exclude_source(clips, source, excluded=excluded)
    write_dataset_card(clips, info)
    return info
