"""A preparation in several jobs: all of them follow one plan, which the first to come writes.

The plan is a file in the data set's folder `_plan`, named by a hash of its content. It depends on the videos, on what
was asked, and on what the data set held before any of the jobs; it is there before the first clip, and stays as it is
until all is merged. So jobs that start at the same time write the same file, later ones follow it, and none of them
changes what another one does.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from s2v_ray.config.load import differing_names
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.records import Reject
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import UserError
from s2v_ray.preparation.plan import Plan
from s2v_ray.preparation.scene import write_scenes
from s2v_ray.preparation.task_file import TaskFile, read_facts, write_tasks
from s2v_ray.storage.files import exists, list_files, write_bytes
from s2v_ray.storage.paths import Location, join

PLAN_FOLDER = "_plan"
_NAMED = 12  # shards that an error names


@dataclass(frozen=True)
class Shard:
    """The job `number`, counted from 1, of `count`."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True)
class SharedPlan:
    """What all shards of a data set do, and which of them are finished."""

    fingerprint: str
    asked: Mapping[str, Any]  # what the plan was made for
    shards: int
    tasks: TaskFile
    missing: tuple[Reject, ...]  # files that could not even be tried
    chosen: str  # in words, what was chosen by the videos
    finished: tuple[int, ...]

    @property
    def unfinished(self) -> list[int]:
        """The shards that are not finished."""
        return sorted({*range(1, self.shards + 1)} - {*self.finished})

    def tasks_of(self, shard: Shard) -> TaskFile:
        """The part of a shard: sources whose names follow each other."""
        count = len(self.tasks)
        return self.tasks[count * (shard.number - 1) // shard.count : count * shard.number // shard.count]


def parse_shard(text: str) -> Shard:
    """A shard such as "3/600". Raises UserError `wrong_shard`."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    shard = Shard(*map(int, found.groups())) if found else Shard(0, 0)
    if not 1 <= shard.number <= shard.count:
        rule = "must be NUMBER/COUNT with a number from 1 to the count, such as 3/600"
        raise UserError("wrong_shard", f"--shard is '{text}', but {rule}.")
    return shard


def shared_plan(
    out: Location, shard: Shard, asked: Mapping[str, Any], make_plan: Callable[[], Plan]
) -> SharedPlan | None:
    """The plan for a shard of the data set `out`: the one that is there, or else that of `make_plan`.

    None if all is done already. `asked` is what `make_plan` depends on, as JSON has it.

    Raises UserError `unfinished` if a preparation without shards is running or was stopped, and `other_shards` where
    the plan was made for something else.
    """
    asked = json.loads(json.dumps({**asked, "shards": shard.count}))
    if not read_plans(out):
        if exists(join(out, "dataset.json")) and not read_dataset(out).complete:
            rule = "let s2v prepare finish first: the same command without --shard resumes"
            raise UserError("unfinished", f"'{out}' is being prepared, or was stopped on the way; {rule}.")
        planned = make_plan()
        if not planned.tasks:
            return None
        # Not if another job has meanwhile written its plan: that one's clips may be part of this plan already.
        if not read_plans(out):
            write_scenes(out, planned.scenes)
            _write_plan(planned, asked)
    plan = only_plan(out)
    if names := differing_names(dict(plan.asked), dict(asked)):
        detail = f"'{out}' is being prepared with other settings ({', '.join(names)})"
        advice = f"give all {plan.shards} shards the same ones, or another --out"
        raise UserError("other_shards", f"{detail}; {advice}.")
    return plan


def _write_plan(planned: Plan, asked: Mapping[str, Any]) -> None:
    facts = {
        "asked": asked,
        "domain": planned.domain,
        "settings": asdict(planned.settings),
        "split_by": planned.splits.split_by,
        "missing": [asdict(reject) for reject in planned.missing],
        "chosen": planned.chosen,
    }
    write_tasks(join(planned.out, PLAN_FOLDER), planned.tasks, facts)


def read_plans(out: Location) -> list[SharedPlan]:
    """The plans in the folder of a data set: one while shards are prepared, and none otherwise.

    There are several if shards were started at the same moment with different settings.
    """
    names = list_files(join(out, PLAN_FOLDER))
    found = [name.removesuffix(".parquet") for name in names if re.fullmatch(r"[0-9a-f]{16}\.parquet", name)]
    return [_read_plan(str(out), fingerprint, names) for fingerprint in found]


def _read_plan(out: str, fingerprint: str, names: list[str]) -> SharedPlan:
    location = join(out, PLAN_FOLDER, f"{fingerprint}.parquet")
    facts, count = read_facts(location)
    done = (re.fullmatch(rf"{fingerprint}\.shard_(\d+)\.json", name) for name in names)
    try:
        settings = ClipSettings.from_json(facts["settings"])
        tasks = TaskFile(location, range(count), facts["domain"], out, settings, facts["split_by"])
        missing = tuple(Reject(**reject) for reject in facts["missing"])
        finished = tuple(int(each[1]) for each in done if each)
        return SharedPlan(
            fingerprint, facts["asked"], facts["asked"]["shards"], tasks, missing, facts["chosen"], finished
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("damaged_plan", f"'{location}' is damaged ({error!r}); prepare into another folder.") from None


def only_plan(out: Location) -> SharedPlan:
    """The one plan of a data set. Raises UserError `other_shards` if there are several, saying how they differ."""
    first, *others = read_plans(out)
    if others:
        names = sorted({name for other in others for name in differing_names(dict(first.asked), dict(other.asked))})
        differ = ", ".join(names) or "the videos that were found"
        done = [f"{numbers_text(each.finished) or 'none'} of {each.shards}" for each in (first, *others)]
        detail = f"'{out}' has shards of different settings ({differ}), done: {'; '.join(done)}"
        raise UserError("other_shards", f"{detail}; prepare all with the same ones into another folder.")
    return first


def numbers_text(numbers: Sequence[int]) -> str:
    """Such as "1, 5, 7 and 20 more"."""
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return ", ".join(map(str, sorted(numbers)[:_NAMED])) + more


def mark_finished(plan: SharedPlan, shard: Shard, clips: int) -> None:
    """Note that a shard is finished, with `clips`."""
    location = join(plan.tasks.out, PLAN_FOLDER, f"{plan.fingerprint}.shard_{shard.number}.json")
    write_bytes(location, json.dumps({"sources": len(plan.tasks_of(shard)), "clips": clips}).encode())
