"""`s2v prepare`."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from s2v_ray.cli.dataset_text import print_copies, print_dataset, print_next
from s2v_ray.cli.flags import Location
from s2v_ray.cli.next_command import command
from s2v_ray.cli.progress import ProgressBar, format_duration
from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.settings import ClipSettings, clip_settings
from s2v_ray.dataset.splits import BY_TIME
from s2v_ray.errors import UserError
from s2v_ray.preparation.blocks import GAP_SECONDS, least_seconds
from s2v_ray.storage.paths import is_uri, join

if TYPE_CHECKING:
    from s2v_ray.preparation.plan import Plan, SourceTask
    from s2v_ray.preparation.shards import Shard
    from s2v_ray.recipes.prepare import MapTasks


def prepare(
    *,
    out: Location,
    videos: tuple[Location, ...] = (),
    domain: str = "",
    manifest: Location = "",
    manifest_format: str = "",
    select: tuple[str, ...] = (),
    split_by: str = "auto",
    shard: str = "",
    settings: Annotated[ClipSettings, tyro.conf.arg(name="", constructor=clip_settings), tyro.conf.OmitArgPrefixes],
    preview: bool = False,
    local: bool = False,
) -> None:
    """Cut videos into clips to train on. The same command resumes after a stop, and adds new videos.

    Args:
        out: the folder for the clips.
        videos: folders (searched recursively), globs, or video files; also WebDataset tars, data sets of Hugging Face
            (Parquet, save_to_disk, VideoFolder) and of LeRobot.
        domain: what the videos show, such as fireworks; by default the folder's name.
        manifest: a list of the videos, or parts of videos, to use, in the format of VGGSound, AudioSet, UnAV-100 or
            Greatest Hits, or a CSV with the columns path,start,end[,split], whose paths may lead anywhere and whose
            parts of one video may be in different splits.
        manifest_format: vggsound, audioset, unav-100, greatest-hits or csv; by default it is recognised by the content.
        select: use only videos with one of these labels in the manifest or the data set, or in folders of these names.
        split_by: what goes to train, val and test (80/10/10): source (whole videos; of GRID, whole speakers), time
            (blocks of each video's time, at least a second apart; videos too short for that as a whole; random clips
            then cover the time, so that each moment is in about two), or auto, which is time if there are fewer than
            five videos (of GRID: speakers). A data set keeps what it was made with.
        shard: prepare only a part, such as 3/600, the third of 600 jobs that share --videos and --out but need not know
            of each other; afterwards `s2v merge` makes one data set of them. The splits are those of a single job.
        settings: how to cut clips.
        preview: only draw a contact sheet of each video into OUT/preview, showing what would be cut.
        local: work in this process, without Ray, for debugging.
    """
    from s2v_ray.preparation.plan import plan
    from s2v_ray.preparation.shards import parse_shard
    from s2v_ray.recipes.prepare import check_prepare_output, domain_of, draw_previews, prepare_clips, run_here

    check_prepare_output(out, videos, manifest)
    domain = domain_of(videos, domain, manifest)
    make_plan = partial(
        plan,
        list(videos),
        out,
        domain,
        settings,
        manifest=manifest,
        manifest_format=manifest_format,
        select=select,
        own_manifest=not is_uri(manifest),
        split_by=split_by,
    )
    map_tasks: MapTasks = run_here
    if not local:
        from s2v_ray.cluster.preparation import run_in_parallel

        map_tasks = run_in_parallel
    if shard:
        if preview:
            raise UserError("wrong_flags", "--preview draws all videos; leave out --shard.")
        asked: dict[str, Any] = {"videos": videos, "manifest": manifest, "manifest_format": manifest_format}
        asked |= {"select": select, "domain": domain, "split_by": split_by, "settings": asdict(settings)}
        _prepare_shard(out, parse_shard(shard), asked, make_plan, map_tasks)
        return
    planned = make_plan()
    if planned.chosen:
        print(planned.chosen)
    if planned.splits.split_by == BY_TIME:
        print(time_split_text(planned.settings, is_auto=planned.splits.is_auto))
    if preview:
        drawn = draw_previews(planned, _with_progress(map_tasks, "drawing previews", "not drawn"))
        if not drawn and planned.tasks:
            raise UserError("no_previews", f"None of {len(planned.tasks)} videos can be read; s2v prepare says why.")
        print(f"Drew {drawn} contact sheets in {out}/preview")
        return
    if planned.done_before:
        print(f"{planned.done_before} videos were already done.")
    info, copies = prepare_clips(planned, _with_progress(map_tasks, "preparing clips", "without clips"))
    print_copies(copies)
    print_dataset(info, out)
    if not info.counts.clips:
        raise UserError("no_clips", _nothing(planned, info, out))
    print_next(info, out)


def _prepare_shard(
    out: str, shard: "Shard", asked: dict[str, Any], make_plan: "Callable[[], Plan]", map_tasks: "MapTasks"
) -> None:
    from s2v_ray.preparation.shards import numbers_text, only_plan, shared_plan
    from s2v_ray.recipes.prepare import prepare_shard

    shared = shared_plan(out, shard, asked, make_plan)
    if shared is None:
        print(f"All videos are in '{out}' already.")
        return
    if shared.chosen:
        print(shared.chosen)
    sources, clips = prepare_shard(shared, shard, _with_progress(map_tasks, "preparing clips", "without clips"))
    print(f"Shard {shard}: {clips} clips of {sources} of {len(shared.tasks)} videos in {out}")
    unfinished = only_plan(out).unfinished
    if unfinished:
        print(f"{len(unfinished)} of {shard.count} shards are left: {numbers_text(unfinished)}. When they are done:")
    print(f"Next: {command('merge', clips=out)}")


def _nothing(planned: "Plan", info: DatasetInfo, out: str) -> str:
    """What became of videos of which none gave a clip."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in info.rejected.items())
    found = planned.done_before + len(planned.tasks)
    videos = f"{found} video{'s' * (found != 1)}"
    return f"No clip could be made of {videos} ({reasons}); {join(out, 'rejects.jsonl')} says why of each."


def time_split_text(settings: ClipSettings, *, is_auto: bool) -> str:
    """What splitting by time does, and why."""
    clip, least = float(settings.seconds), float(least_seconds(settings))
    few = " since there are fewer than five videos (of GRID: speakers; --split-by source keeps each whole)"
    why = few if is_auto else ""
    count = f"{settings.clips_per_source} a video, or twice as many as fit side by side if that is more"
    how = f"{settings.stride_seconds:g} s apart" if settings.stride_seconds else count
    return (
        f"Splitting by time{why}: of each video of {least:g} s or more, blocks go to train, val and test, at least "
        f"{GAP_SECONDS} s apart; shorter ones and those given a split stay whole. Clips of {clip:g} s cover the time: "
        f"{how}."
    )


def _with_progress(map_tasks: "MapTasks", label: str, without_result: str) -> "MapTasks":
    """`map_tasks` with a progress bar, which also counts the sources without a result."""

    def shown(work: "Callable[[SourceTask], int]", tasks: "Sequence[SourceTask]") -> Iterator[tuple[str, int]]:
        started, without = time.monotonic(), 0
        with ProgressBar(label) as show:
            for number, (name, result) in enumerate(map_tasks(work, tasks), start=1):
                yield name, result
                without += not result
                rate = number / (time.monotonic() - started)
                left = format_duration((len(tasks) - number) / rate)
                text = f"{number} of {len(tasks)} videos, {without} {without_result}, {rate:.2g} a second, {left} left"
                show(number / len(tasks), text)

    return shown
