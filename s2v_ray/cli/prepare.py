"""`s2v prepare`."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.table import Table

from s2v_ray.cli.flags import Location
from s2v_ray.cli.next_command import command
from s2v_ray.cli.progress import ProgressBar, format_duration
from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.settings import ClipSettings, clip_settings
from s2v_ray.dataset.splits import BY_TIME
from s2v_ray.errors import UserError
from s2v_ray.preparation.blocks import GAP_SECONDS, least_seconds
from s2v_ray.storage.paths import base_name, is_uri, join

if TYPE_CHECKING:
    from s2v_ray.preparation.plan import Plan, SourceTask
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
    settings: Annotated[ClipSettings, tyro.conf.arg(name="", constructor=clip_settings), tyro.conf.OmitArgPrefixes],
    preview: bool = False,
    local: bool = False,
) -> None:
    """Cut videos into clips to train on. The same command resumes after a stop, and adds new videos.

    Args:
        out: the folder for the clips.
        videos: folders (searched recursively), globs, or video files.
        domain: what the videos show, such as fireworks; by default the folder's name.
        manifest: a list of the videos, or parts of videos, to use, in the format of VGGSound, AudioSet, UnAV-100 or
            Greatest Hits, or a CSV with the columns path,start,end[,split], whose paths may lead anywhere and whose
            parts of one video may be in different splits.
        manifest_format: vggsound, audioset, unav-100, greatest-hits or csv; by default it is recognised by the content.
        select: use only videos with one of these labels in the manifest, or in folders of these names.
        split_by: what goes to train, val and test (80/10/10): source (whole videos; of GRID, whole speakers), time
            (blocks of each video's time, at least a second apart; videos too short for that as a whole; random clips
            then cover the time, so that each moment is in about two), or auto, which is time if there are fewer than
            five videos (of GRID: speakers). A data set keeps what it was made with.
        settings: how to cut clips.
        preview: only draw a contact sheet of each video into OUT/preview, showing what would be cut.
        local: work in this process, without Ray, for debugging.
    """
    from s2v_ray.preparation.plan import plan
    from s2v_ray.recipes.prepare import check_prepare_output, domain_of, draw_previews, prepare_clips, run_here

    check_prepare_output(out, videos, manifest)
    domain = domain_of(videos, domain, manifest)
    planned = plan(
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
    if planned.chosen:
        print(planned.chosen)
    if planned.splits.split_by == BY_TIME:
        print(time_split_text(planned.settings, is_auto=planned.splits.is_auto))
    map_tasks: MapTasks = run_here
    if not local:
        from s2v_ray.cluster.preparation import run_in_parallel

        map_tasks = run_in_parallel
    if preview:
        drawn = draw_previews(planned, _with_progress(map_tasks, "drawing previews", "not drawn"))
        if not drawn and planned.tasks:
            raise UserError("no_previews", f"None of {len(planned.tasks)} videos can be read; s2v prepare says why.")
        print(f"Drew {drawn} contact sheets in {out}/preview")
        return
    if planned.done_before:
        print(f"{planned.done_before} videos were already done.")
    info, copies = prepare_clips(planned, _with_progress(map_tasks, "preparing clips", "without clips"))
    if copies:
        copy, first = next(iter(copies.items()))
        print(
            f"{len(copies)} videos sound the same as others, such as '{copy}' as '{first}'; copies share a split, or "
            "are left out where they can't."
        )
    Console().print(counts_table(info))
    if info.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in info.rejected.items())
        print(f"Rejected: {reasons}. Details: {out}/rejects.jsonl")
    if info.split_counts["val"].clips or info.split_counts["test"].clips:
        print(f"Split by {info.split_by}: val and test hold {info.held_out}.")
    shorter = ", or a smaller --clip-seconds" if info.split_by == BY_TIME else ""
    for split, use in (("val", "no best checkpoint can be chosen"), ("test", "there is nothing to evaluate on")):
        if info.counts.clips and not info.split_counts[split].clips:
            print(f"No clip is in the split '{split}', so {use}; prepare more videos{shorter}.")
    if info.counts.clips:
        print(f"Wrote {info.counts.clips} clips to {out}")
        print(f"Data card: {out}/card.md")
        probe = command("probe", clips=out)
        print(f"Next: {probe}   (in a minute: can these clips be learnt, and what would help)")
        print(f"then: {command('train', clips=out, out=f'runs/{base_name(out)}')}")
    else:
        raise UserError("no_clips", _nothing(planned, info, out))


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

    def shown(work: "Callable[[SourceTask], int]", tasks: "list[SourceTask]") -> Iterator[tuple[str, int]]:
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


def counts_table(info: DatasetInfo) -> Table:
    """The counts of a data set by split."""
    table = Table("", "sources", "clips", "seconds", "frames")
    for name, row in {**info.split_counts, "all": info.counts}.items():
        table.add_row(name, str(row.sources), str(row.clips), f"{row.seconds:g}", str(row.frames))
    return table
