"""`s2v prepare`."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.measures import QualityLimits
from s2v_ray.errors import UserError
from s2v_ray.media.decoding.limits import Limits

if TYPE_CHECKING:
    from rich.table import Table

    from s2v_ray.preparation.plan import SourceTask


def prepare(
    *,
    out: str,
    videos: tuple[str, ...] = (),
    domain: str = "",
    manifest: str = "",
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
    """Cut videos into clips to train on. The same command goes on where it was stopped, and takes in new videos.

    Args:
        out: the folder for the clips.
        videos: folders of videos (searched recursively), globs, or video files.
        domain: what the videos show, such as fireworks; by default the name of the folder.
        manifest: a list of what to use of the videos: VGGSound's, AudioSet's, UnAV-100's, Greatest Hits', or a CSV
            with the columns path,start,end[,split].
        manifest_format: vggsound, audioset, unav-100, greatest-hits or csv; by default the content tells.
        select: only what has one of these labels, by the manifest or the folder.
        clip_seconds: how long a clip lasts.
        frame_rate: frames a second of the clips, such as 30 or 30000/1001.
        sample_rate: of the clips' sound, in Hz; a multiple of the frame rate.
        stored_size: height and width that frames are stored at; training crops 256/286 of it.
        clips_per_source: how many clips are cut at random from each video.
        stride_seconds: above zero, clips start this far apart instead of at random.
        crop: centre, motion (the square that moves with the sound), or x,y,size in pixels.
        fix_lag: move the sound of a video by the lag that its windows agree on.
        quality: what a window must keep to.
        limits: what a video may cost.
        seed: of the random cuts.
        preview: only draw a contact sheet of each video, with what would be cut, into the folder preview.
        local: work in this process alone, without Ray, for debugging.
    """
    from s2v_ray.dataset.index import read_records, write_dataset
    from s2v_ray.dataset.reader import card_columns, card_examples
    from s2v_ray.dataset.settings import clip_settings
    from s2v_ray.preparation.duplicates import settle_duplicates
    from s2v_ray.preparation.plan import plan
    from s2v_ray.preparation.prepare import prepare_source, record_crash
    from s2v_ray.preparation.report.card import write_card
    from s2v_ray.storage.lock import lock
    from s2v_ray.storage.paths import absolute

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
    if not videos and not manifest:
        raise UserError("--videos or --manifest is needed; give a folder of videos.")
    if not domain and len(videos) != 1:
        raise UserError("--domain is needed where --videos is not one place; give it a name such as fireworks.")
    domain = domain or Path(videos[0]).resolve().stem
    shown_out, out = out, absolute(out)
    todo = plan(
        [absolute(video) for video in videos],
        out,
        domain,
        settings,
        manifest=absolute(manifest) if manifest else "",
        manifest_format=manifest_format,
        select=select,
    )
    with lock(shown_out, out):
        if preview:
            from s2v_ray.preparation.report.contact_sheet import preview_source

            drawn = sum(gave for _, gave in _work(preview_source, todo.tasks, "drawing previews", "not drawn", local))
            print(f"Drew {drawn} contact sheets in {shown_out}/preview")
            return
        write_dataset(out, settings, domain, todo.ranked_splits, missing=todo.missing, complete=False)
        if todo.done_before:
            print(f"{todo.done_before} videos are done already.")
        left = {job.source.name: job for job in todo.tasks}
        for name, _ in _work(prepare_source, todo.tasks, "preparing clips", "without clips", local):
            del left[name]
        for job in left.values():
            record_crash(job)
        copies = settle_duplicates(out)
        info = write_dataset(out, settings, domain, todo.ranked_splits, missing=todo.missing, complete=True)
        records = read_records(out)
        if info.counts.clips:
            write_card(out, info, records=records.values(), columns=card_columns(out), examples=card_examples(out))
        if copies:
            copy, first = next(iter(copies.items()))
            print(f"{len(copies)} videos sound like others, such as '{copy}' like '{first}'; none is in another split.")
        _print_counts(info, shown_out)


def _work(
    work: "Callable[[SourceTask], int]", jobs: "list[SourceTask]", label: str, gave_nothing: str, local: bool
) -> Iterator[tuple[str, int]]:
    """Do the work on each job, in this process or by Ray, showing how far it is; yields names and what it gave."""
    from s2v_ray.cli.progress import ProgressBar, clock

    done: Iterator[tuple[str, int]]
    if local:
        done = ((job.source.name, work(job)) for job in jobs)
    else:
        from s2v_ray.cluster.preparation import run_in_parallel

        done = run_in_parallel(work, jobs)
    started, nothing = time.monotonic(), 0
    with ProgressBar(label) as show:
        for number, (name, gave) in enumerate(done, start=1):
            yield name, gave
            nothing += not gave
            rate = number / (time.monotonic() - started)
            left = clock((len(jobs) - number) / rate)
            text = f"{number} of {len(jobs)} videos, {nothing} {gave_nothing}, {rate:.2g} a second, {left} left"
            show(number / len(jobs), text)


def counts_table(info: DatasetInfo) -> "Table":
    """The counts of a data set by split."""
    from rich.table import Table

    table = Table("", "sources", "clips", "seconds", "frames")
    for name, row in {**info.split_counts, "all": info.counts}.items():
        table.add_row(name, str(row.sources), str(row.clips), f"{row.seconds:g}", str(row.frames))
    return table


def _print_counts(info: DatasetInfo, out: str) -> None:
    from rich.console import Console

    Console().print(counts_table(info))
    if info.rejected:
        told = ", ".join(f"{count} {reason}" for reason, count in info.rejected.items())
        print(f"Rejected: {told}. Each with its reason: {out}/rejects.jsonl")
    for split, use in (("val", "no best checkpoint is chosen"), ("test", "there is nothing to evaluate on")):
        if info.counts.clips and not info.split_counts[split].clips:
            print(f"No video fell into the split '{split}', so {use}; more videos mend it.")
    print(f"Wrote {info.counts.clips} clips to {out}")
    if info.counts.clips:
        print(f"What they are like: {out}/card.md\nNext: s2v train --clips {out} --out runs/{Path(out).name}")
