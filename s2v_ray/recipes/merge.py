"""What `s2v merge` does: of shards that were prepared apart, one data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from s2v_ray.dataset.index import DatasetInfo, read_dataset
from s2v_ray.errors import UserError
from s2v_ray.preparation.shards import PLAN_FOLDER, only_plan, read_plans
from s2v_ray.preparation.task_file import new_units
from s2v_ray.recipes.prepare import finish, write_dataset_card, write_shared
from s2v_ray.storage.files import remove_file, remove_folder
from s2v_ray.storage.lock import lock
from s2v_ray.storage.paths import join


@dataclass(frozen=True)
class Merged:
    """A data set after a merge."""

    info: DatasetInfo
    copies: dict[str, str]  # the sources that sound like another one, by name
    shards: int  # how many there are; 0 if the data set was complete before
    missing: Sequence[int] = ()  # those that are not finished


def merge_clips(clips: str) -> Merged:
    """Make one data set of what shards have prepared; the same again changes nothing.

    While some are missing, it is only counted and described: no clip changes its split before all are there, so that
    the result does not depend on which came first.

    Raises UserError `no_clips` where there is nothing, `other_shards` where shards were made with different settings,
    `unfinished` where a preparation without shards was stopped, and `locked` while another process writes there.
    """
    if not read_plans(clips):
        info = read_dataset(clips)
        if not info.complete:
            detail = f"'{clips}' was not prepared in shards, and was stopped on the way"
            raise UserError("unfinished", f"{detail}; the same s2v prepare command resumes.")
        return Merged(info, {}, 0)
    with lock(clips, clips):
        plan = only_plan(clips)
        if plan.unfinished:
            info = write_shared(plan, complete=False)
            write_dataset_card(clips, info)
            return Merged(info, {}, plan.shards, plan.unfinished)
        info, copies = finish(
            clips, partial(new_units, plan.tasks.location), partial(write_shared, plan, complete=True)
        )
        remove_file(plan.tasks.location)  # first: of a plan without them, shards would seem to be missing
        remove_folder(join(clips, PLAN_FOLDER))
    return Merged(info, copies, plan.shards)
