"""`s2v prepare`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s2v_ray.config import UserError


def prepare(
    *,
    videos: tuple[str, ...],
    out: str,
    domain: str = "",
    clip_seconds: float = 4.0,
    frame_rate: str = "30",
    sample_rate: int = 44100,
    stored_size: int = 72,
    clips_per_source: int = 4,
    stride_seconds: float = 0.0,
    seed: int = 0,
    local: bool = False,
) -> None:
    """Cut videos into clips to train on. The same command goes on where it was stopped, and takes in new videos.

    Args:
        videos: folders of videos (searched recursively), or video files.
        out: the folder for the clips.
        domain: what the videos show, such as fireworks; by default the name of the folder.
        clip_seconds: how long a clip lasts.
        frame_rate: frames a second of the clips, such as 30 or 30000/1001.
        sample_rate: of the clips' sound, in Hz; a multiple of the frame rate.
        stored_size: height and width that frames are stored at; training crops 256/286 of it.
        clips_per_source: how many clips are cut at random from each video.
        stride_seconds: above zero, clips start this far apart instead of at random.
        seed: of the random cuts.
        local: work in this process alone, without Ray, for debugging.
    """
    from s2v_ray.clips.dataset import write_dataset
    from s2v_ray.clips.prepare import plan, prepare_source, record_crash
    from s2v_ray.clips.settings import clip_settings
    from s2v_ray.media.storage import absolute
    from s2v_ray.training.progress import ProgressBar

    settings = clip_settings(
        clip_seconds=clip_seconds,
        frame_rate=frame_rate,
        sample_rate=sample_rate,
        stored_size=stored_size,
        clips_per_source=clips_per_source,
        stride_seconds=stride_seconds,
        seed=seed,
    )
    if not domain and len(videos) > 1:
        raise UserError("--domain is needed where --videos names several places; give it a name such as fireworks.")
    domain = domain or Path(videos[0]).resolve().stem
    out = absolute(out)
    jobs, done_before, ranked_splits = plan([absolute(video) for video in videos], out, domain, settings)
    if done_before:
        print(f"{done_before} videos are done already.")
    left = {job.source.name: job for job in jobs}
    with ProgressBar("preparing clips") as show:
        finished: Iterator[str]
        if local:
            finished = (prepare_source(job)["source"] for job in jobs)
        else:
            from s2v_ray.cluster.ingest import prepare_in_parallel

            finished = prepare_in_parallel(jobs)
        for name in finished:
            del left[name]
            show(1 - len(left) / len(jobs), f"{len(jobs) - len(left)} of {len(jobs)} videos")
    for job in left.values():
        record_crash(job)
    content = write_dataset(out, settings, domain, ranked_splits, complete=True)
    _print_counts(content["counts"], out)


def _print_counts(counts: dict[str, Any], out: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "sources", "clips", "seconds", "frames")
    for name, row in {**counts["splits"], "all": counts}.items():
        table.add_row(name, str(row["sources"]), str(row["clips"]), f"{row['seconds']:g}", str(row["frames"]))
    Console().print(table)
    if counts["rejected"]:
        told = ", ".join(f"{count} {reason}" for reason, count in counts["rejected"].items())
        print(f"Rejected: {told}. Each with its reason: {out}/rejects.jsonl")
    print(f"Wrote {counts['clips']} clips to {out}")
    for split, use in (("val", "no best checkpoint is chosen"), ("test", "there is nothing to evaluate on")):
        if counts["clips"] and not counts["splits"][split]["clips"]:
            print(f"No video fell into the split '{split}', so {use}; more videos mend it.")
    if counts["clips"]:
        print(f"Next: s2v train --clips {out} --out runs/{Path(out).name}")
