"""What `s2v prepare` does: a data set of clips from videos, or contact sheets of what would be cut."""

import glob
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from s2v_ray.dataset.clip_index import write_index
from s2v_ray.dataset.excluded import read_excluded
from s2v_ray.dataset.index import DatasetInfo, each_record, read_dataset, write_dataset
from s2v_ray.dataset.reader import card_columns, card_examples
from s2v_ray.errors import UserError
from s2v_ray.preparation.duplicates import settle_duplicates
from s2v_ray.preparation.empty_splits import empty_splits, fill_empty_splits
from s2v_ray.preparation.plan import Plan, SourceTask
from s2v_ray.preparation.prepare import prepare_source, resume_source
from s2v_ray.preparation.report.card import write_card
from s2v_ray.preparation.report.contact_sheet import preview_source
from s2v_ray.preparation.scene import read_scenes, write_scenes
from s2v_ray.preparation.shards import PLAN_FOLDER, Shard, SharedPlan, mark_finished, read_plans
from s2v_ray.preparation.sources.discovery import glob_root
from s2v_ray.preparation.task_file import TaskFile, write_tasks
from s2v_ray.storage.files import exists, is_file, is_folder, remove_folder
from s2v_ray.storage.lock import lock
from s2v_ray.storage.own_folders import DATASET, check_output_folder, refuse_other_kinds
from s2v_ray.storage.paths import base_name, is_uri, join, parent

# Does work on each task, as `run_here` or `cluster.preparation.run_in_parallel`; yields the source's name and the
# result as each is done. What crashed has no result.
MapTasks = Callable[[Callable[[SourceTask], int], Sequence[SourceTask]], Iterable[tuple[str, int]]]


def domain_of(videos: tuple[str, ...], domain: str = "", manifest: str = "") -> str:
    """`domain`, by default the name of the one folder or file in `videos`. Raises UserError if that is not clear."""
    if not videos and not manifest:
        raise UserError("missing_setting", "--videos or --manifest is needed; give a folder of videos.")
    if not domain and len(videos) != 1:
        raise UserError("missing_setting", "--domain is needed unless --videos is one path; name what they show.")
    if domain:
        return domain
    location = videos[0]
    if not exists(location):  # a glob
        location = glob_root(location)
    name = base_name(location if is_uri(location) else Path(location).resolve())
    found = PurePath(name).stem if is_file(location) else name
    if not found:
        raise UserError("missing_setting", f"--domain is needed, as '{videos[0]}' has no name; say what they show.")
    return found


def check_prepare_output(out: str, videos: Sequence[str], manifest: str = "") -> None:
    """Raise UserError if `out` holds what is neither a data set nor the videos themselves."""
    roots = [glob_root(each) for each in (*videos, manifest) if each]
    if any(root.rstrip("/") == out or (parent(root) == out and is_file(root)) for root in roots):
        refuse_other_kinds(out, "--out", DATASET)
        return
    check_output_folder(out, "--out", DATASET, own=[glob.escape(_entry_of(out, root)) for root in roots])


def _entry_of(folder: str, location: str) -> str:
    """The name in `folder` of what holds `location`, or is it; "" if it lies elsewhere."""
    while (above := parent(location)) != location:
        if above == folder:
            return base_name(location)
        location = above
    return ""


def run_here(work: Callable[[SourceTask], int], tasks: Sequence[SourceTask]) -> Iterator[tuple[str, int]]:
    """Do `work` on each task in this process."""
    for task in tasks:
        yield task.source.name, work(task)


def prepare_clips(planned: Plan, map_tasks: MapTasks) -> tuple[DatasetInfo, dict[str, str]]:
    """Make or extend a data set; returns it, and the sources that sound like another one, by name.

    Raises UserError `locked` while another process does, and `unfinished` while it is prepared in shards.
    """
    out = planned.out
    with lock(out, out):
        _refuse_shards(out)
        write_scenes(out, planned.scenes)
        write_planned(planned, complete=False)
        if planned.tasks:
            prepare_tasks(stored_tasks(planned), map_tasks)
        if is_folder(join(out, PLAN_FOLDER)):
            remove_folder(join(out, PLAN_FOLDER))
        return finish(out, lambda: planned.splits.planned, partial(write_planned, planned, complete=True))


def stored_tasks(planned: Plan) -> TaskFile:
    """The tasks of a plan without shards, written where all who work on them can read."""
    folder = join(planned.out, PLAN_FOLDER, "all")
    location = write_tasks(folder, planned.tasks, {})
    rows = range(len(planned.tasks))
    return TaskFile(
        location, rows, planned.domain, planned.out, planned.settings, planned.splits.split_by, planned.scenes
    )


def finish(
    out: str, units: Callable[[], Collection[str]], write: Callable[..., DatasetInfo]
) -> tuple[DatasetInfo, dict[str, str]]:
    """What is done once all sources are: copies, splits that are empty, index, `dataset.json` by `write`, and the card.

    `units` says which may be moved. Returns what `write` does, and the sources that sound like another one.
    """
    copies = settle_duplicates(out)
    if empty_splits(out):
        fill_empty_splits(out, units())
    info = write(clip_index=write_index(out))
    write_dataset_card(out, info)
    return info, copies


def write_dataset_card(clips: str, info: DatasetInfo) -> None:
    """Write the data set's card, unless it has no clips."""
    if info.counts.clips:
        records, excluded = each_record(clips), read_excluded(clips)
        columns, examples = card_columns(clips), card_examples(clips)
        write_card(clips, info, records=records, columns=columns, examples=examples, excluded=excluded)


def prepare_tasks(
    tasks: Sequence[SourceTask], map_tasks: MapTasks, work: Callable[[SourceTask], int] = prepare_source
) -> int:
    """Prepare each source, and record those that crashed; returns how many clips there are of them."""
    clips = dict(map_tasks(work, tasks))
    for task in tasks if len(clips) < len(tasks) else ():
        if task.source.name not in clips:
            clips[task.source.name] = prepare_source(replace(task, failure="crashed"))
    return sum(clips.values())


def prepare_shard(plan: SharedPlan, shard: Shard, map_tasks: MapTasks) -> tuple[int, int]:
    """Do the part of a shard; returns how many sources and clips it has. What is done already stays as it is.

    Raises UserError `locked` while another process does.
    """
    out = plan.tasks.out
    with lock(f"{out}, shard {shard}", join(out, PLAN_FOLDER), f".lock_{shard.number}"):
        if not exists(join(out, "dataset.json")) or read_dataset(out).complete:
            write_shared(plan, complete=False)
        tasks = replace(plan.tasks_of(shard), scenes=tuple(read_scenes(out)))
        clips = prepare_tasks(tasks, map_tasks, resume_source)
        mark_finished(plan, shard, clips)
    return len(tasks), clips


def write_shared(plan: SharedPlan, *, complete: bool, clip_index: str = "") -> DatasetInfo:
    """Write `dataset.json` and `rejects.jsonl` of what is prepared in shards, from the records so far."""
    tasks = plan.tasks
    return write_dataset(
        tasks.out,
        tasks.settings,
        tasks.domain,
        split_by=tasks.split_by,
        planned_splits={},  # these are in the plan
        missing=plan.missing,
        complete=complete,
        clip_index=clip_index,
    )


def _refuse_shards(out: str) -> None:
    """Raise UserError `unfinished` if a data set is being prepared in shards."""
    if plans := read_plans(out):
        rule = f"prepare all of them (--shard 1/{plans[0].shards} and so on), then s2v merge --clips {out}"
        raise UserError("unfinished", f"'{out}' is being prepared in {plans[0].shards} shards; {rule}.")


def draw_previews(planned: Plan, map_tasks: MapTasks) -> int:
    """Draw the contact sheets of all sources that are not done yet; returns how many there are."""
    with lock(planned.out, planned.out):
        return sum(drawn for _, drawn in map_tasks(preview_source, planned.tasks))


def write_planned(planned: Plan, *, complete: bool, clip_index: str = "") -> DatasetInfo:
    """Write the data set's `dataset.json` and `rejects.jsonl` from the records so far.

    Until it is complete, the splits planned for this run are kept in it, so that a run that resumes does the same.
    """
    return write_dataset(
        planned.out,
        planned.settings,
        planned.domain,
        split_by=planned.splits.split_by,
        planned_splits={} if complete else planned.splits.planned,
        missing=planned.missing,
        complete=complete,
        clip_index=clip_index,
    )
