"""`s2v prepare`."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.table import Table

from s2v_ray.cli.flags import Location
from s2v_ray.cli.progress import ProgressBar, format_duration
from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.measures import QualityLimits
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.media.decoding.limits import Limits
from s2v_ray.storage.paths import base_name

if TYPE_CHECKING:
    from s2v_ray.preparation.plan import SourceTask
    from s2v_ray.recipes.prepare import MapTasks


def prepare(
    *,
    out: Location,
    videos: tuple[Location, ...] = (),
    domain: str = "",
    manifest: Location = "",
    manifest_format: str = "",
    select: tuple[str, ...] = (),
    clip_seconds: float = 4.0,
    frame_rate: str = "30",
    sample_rate: int = 44100,
    stored_size: int = 72,
    clips_per_source: int = 4,
    stride_seconds: float = 0.0,
    crop: str = "centre",
    fix_lag: bool = False,
    quality: Annotated[QualityLimits, tyro.conf.arg(name="")] = QualityLimits(),
    limits: Annotated[Limits, tyro.conf.arg(name="")] = Limits(),
    seed: int = 0,
    preview: bool = False,
    local: bool = False,
) -> None:
    """Cut videos into clips to train on. The same command resumes after a stop, and adds new videos.

    Args:
        out: the folder for the clips.
        videos: folders (searched recursively), globs, or video files.
        domain: what the videos show, such as fireworks; by default the name of the folder.
        manifest: a list of the videos, or parts of them, to use: VGGSound's, AudioSet's, UnAV-100's, Greatest Hits' or
            a CSV with the columns path,start,end[,split].
        manifest_format: vggsound, audioset, unav-100, greatest-hits or csv; by default recognised by its content.
        select: use only what has one of these labels in the manifest, or is in a folder of this name.
        clip_seconds: length of a clip.
        frame_rate: frames a second of the clips, such as 30 or 30000/1001.
        sample_rate: samples of sound a second, in Hz; a multiple of the frame rate.
        stored_size: height and width that frames are stored at; training crops 256/286 of it.
        clips_per_source: how many clips are cut at random from each video.
        stride_seconds: if above 0, clips start this far apart instead of at random.
        crop: centre, motion (the square that moves with the sound), or x,y,size in pixels.
        fix_lag: shift the sound of a video by the lag that its windows agree on.
        quality: the limits of a window's quality.
        limits: the most that a video may cost.
        seed: of the random starts.
        preview: only draw a contact sheet of each video, which shows what would be cut, into the folder preview.
        local: work in this process, without Ray, for debugging.
    """
    from s2v_ray.recipes.prepare import draw_previews, plan_clips, prepare_clips, run_here

    settings = clip_settings(
        clip_seconds=clip_seconds,
        frame_rate=frame_rate,
        sample_rate=sample_rate,
        stored_size=stored_size,
        clips_per_source=clips_per_source,
        stride_seconds=stride_seconds,
        seed=seed,
        crop=crop,
        fix_lag=fix_lag,
        quality=quality,
        limits=limits,
    )
    planned = plan_clips(
        videos, out, domain, settings, manifest=manifest, manifest_format=manifest_format, select=select
    )
    map_tasks: MapTasks = run_here
    if not local:
        from s2v_ray.cluster.preparation import run_in_parallel

        map_tasks = run_in_parallel
    if preview:
        drawn = draw_previews(planned, _with_progress(map_tasks, "drawing previews", "not drawn"))
        print(f"Drew {drawn} contact sheets in {out}/preview")
        return
    if planned.done_before:
        print(f"{planned.done_before} videos are done already.")
    info, copies = prepare_clips(planned, _with_progress(map_tasks, "preparing clips", "without clips"))
    if copies:
        copy, first = next(iter(copies.items()))
        print(f"{len(copies)} videos sound like others, such as '{copy}' like '{first}'; copies share a split.")
    _print_counts(info, out)


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


def _print_counts(info: DatasetInfo, out: str) -> None:
    Console().print(counts_table(info))
    if info.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in info.rejected.items())
        print(f"Rejected: {reasons}. Each with its reason: {out}/rejects.jsonl")
    for split, use in (("val", "no best checkpoint can be chosen"), ("test", "there is nothing to evaluate on")):
        if info.counts.clips and not info.split_counts[split].clips:
            print(f"No video is in the split '{split}', so {use}; prepare more videos.")
    print(f"Wrote {info.counts.clips} clips to {out}")
    if info.counts.clips:
        print(f"What they are like: {out}/card.md\nNext: s2v train --clips {out} --out runs/{base_name(out)}")
