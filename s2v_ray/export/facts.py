"""What a model's card says of its data, gathered from data sets."""

from dataclasses import dataclass

from s2v_ray.dataset.collection import DataSets, data_set_names, locations
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.splits import SPLITS


@dataclass(frozen=True)
class Amount:
    """How much of a data set is in a split."""

    sources: int
    clips: int
    hours: float


@dataclass(frozen=True)
class DataFacts:
    """A data set by its name; `held_out` says in words what its val and test show that its train does not."""

    name: str
    domain: str
    split_by: str
    held_out: str
    amounts: dict[str, Amount]  # by split


def data_facts(clips: DataSets) -> tuple[DataFacts, ...]:
    """The facts of each data set. Raises UserError where there is none."""
    found = locations(clips)
    return tuple(_facts(name, location) for name, location in zip(data_set_names(found), found, strict=True))


def _facts(name: str, location: str) -> DataFacts:
    info = read_dataset(location)
    amounts = {
        split: Amount(counts.sources, counts.clips, counts.seconds / 3600)
        for split in SPLITS
        if (counts := info.split_counts.get(split))
    }
    return DataFacts(name, info.domain, info.split_by, info.held_out, amounts)
