"""Copies across data sets: each has its own splits, so that one may hold out what another trains on."""

from itertools import product

from s2v_ray.dataset.collection import DataSets, locations
from s2v_ray.dataset.excluded import read_excluded
from s2v_ray.dataset.index import read_records
from s2v_ray.dataset.records import SourceRecord
from s2v_ray.errors import UserError
from s2v_ray.preparation.fingerprint import find_duplicates

_Found = list[tuple[str, SourceRecord]]  # the sources of one file or its copies, each with its data set


def refuse_copies(clips: DataSets, *, any_split: bool = False) -> None:
    """Raise UserError if a source that one data set trains on is held out in another: its scores would mislead.

    Sources are the same if they are one file, or sound alike by the fingerprints in their records. With `any_split`
    copies are refused whatever their splits, for what makes splits of its own. One data set has been checked already.
    """
    if len(locations(clips)) == 1:
        return
    files: dict[str, _Found] = {}
    for location in locations(clips):
        excluded = read_excluded(location)
        for record in read_records(location).values():
            if record.clips and record.source not in excluded:
                files.setdefault(record.path, []).append((location, record))
    firsts = find_duplicates({path: found[0][1].fingerprint or "" for path, found in files.items()})
    groups: dict[str, _Found] = {}
    for path, found in files.items():
        groups.setdefault(firsts.get(path, path), []).extend(found)
    for group in groups.values():
        for (one, trained), (other, held_out) in product(group, group):
            leaks = trained.split_clips.get("train") and held_out.split_clips.keys() - {"train"}
            if one != other and (any_split or leaks):
                both = f"'{trained.source}' of '{one}' and '{held_out.source}' of '{other}' are copies of one video"
                why = "" if any_split else ", of which one is trained on and the other held out"
                rule = "prepare them into one folder, where copies share a split, or exclude one"
                raise UserError("copies_across_clips", f"{both}{why}; {rule}.")
