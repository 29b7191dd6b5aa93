"""`s2v_ray.prepare`: clips from videos."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from s2v_ray.api.inputs import Path, Paths, location, locations, naming_arguments
from s2v_ray.api.progress import Show, progress_bar
from s2v_ray.dataset.index import DatasetInfo
from s2v_ray.dataset.measures import QualityLimits
from s2v_ray.dataset.settings import AUTO, clip_settings
from s2v_ray.media.decoding.limits import Limits
from s2v_ray.preparation.plan import SourceTask, plan
from s2v_ray.recipes.prepare import MapTasks, check_prepare_output, domain_of, prepare_clips, run_here
from s2v_ray.storage.paths import is_uri


@dataclass(frozen=True)
class Prepared:
    """A data set: where it is, what its `dataset.json` says (`info.counts`, `info.split_counts`, `info.rejected`), and
    which sources sound like another one, by name.
    """

    clips: str
    info: DatasetInfo
    copies: Mapping[str, str]


@naming_arguments()
def prepare(
    videos: Paths,
    out: Path,
    *,
    domain: str = "",
    manifest: Path = "",
    manifest_format: str = "",
    select: Sequence[str] = (),
    split_by: str = AUTO,
    clip_seconds: float | Literal["auto"] = "auto",
    frame_rate: str = AUTO,
    sample_rate: int = 44100,
    stored_size: int = 72,
    clips_per_source: int = 4,
    stride_seconds: float = 0.0,
    seed: int = 0,
    crop: str = AUTO,
    stabilize: str = AUTO,
    fix_lag: bool = False,
    audio_track: int = 0,
    video_track: int = 0,
    quality: QualityLimits = QualityLimits(),
    limits: Limits = Limits(),
    local: bool = False,
    progress: bool = True,
) -> Prepared:
    """Cut videos into clips to train on. The same call resumes after a stop, and adds new videos.

    Args:
        videos: folders (searched recursively), globs, or video files; one or several. () with a manifest that has all.
        out: the folder for the clips.
        domain: what the videos show, such as fireworks; by default the folder's name.
        manifest: a list of the videos, or parts of videos, to use; see `s2v help prepare`.
        manifest_format: vggsound, audioset, unav-100, greatest-hits or csv; by default recognised by the content.
        select: use only videos with one of these labels in the manifest, or in folders of these names.
        split_by: what goes to train, val and test: source, time, or auto.
        clip_seconds: length of a clip; auto is 4, or less where many videos are shorter.
        frame_rate: frames per second of the clips, such as 25 or 30000/1001; auto is that of the videos, or 30.
        sample_rate: sample rate of the sound in Hz, a multiple of the frame rate.
        stored_size: height and width of the stored frames in pixels; training crops 256/286 of it.
        clips_per_source: how many clips are cut at random from each video.
        stride_seconds: if above 0, clips start this far apart instead of at random.
        seed: seed for the random starts.
        crop: centre, motion, auto, or x,y,size in pixels.
        stabilize: camera, subject, off, or auto.
        fix_lag: shift a video's sound by the lag that its windows agree on.
        audio_track: which audio track of a video to take, counted from 1; 0 is the first that works.
        video_track: which video track, likewise.
        quality: limits on a clip's quality.
        limits: the most that preparing a video may cost.
        local: work in this process; otherwise Ray works on all cores, or on the cluster at RAY_ADDRESS.
        progress: whether to show progress.

    Where no video gives a clip, the counts are 0, and `info.rejected` says why. Raises UserError for settings out of
    range, an `out` that holds something else, and a data set that another process prepares.
    """
    where, listed = location(out, "--out"), location(manifest, "--manifest") if manifest else ""
    given = locations(videos, "--videos")
    check_prepare_output(where, given, listed)
    settings = clip_settings(
        clip_seconds=clip_seconds,
        frame_rate=frame_rate,
        sample_rate=sample_rate,
        stored_size=stored_size,
        clips_per_source=clips_per_source,
        stride_seconds=stride_seconds,
        seed=seed,
        crop=crop,
        stabilize=stabilize,
        fix_lag=fix_lag,
        audio_track=audio_track,
        video_track=video_track,
        quality=quality,
        limits=limits,
    )
    planned = plan(
        list(given),
        where,
        domain_of(given, domain, listed),
        settings,
        manifest=listed,
        manifest_format=manifest_format,
        select=tuple(select),
        own_manifest=not is_uri(listed),
        split_by=split_by,
    )
    with progress_bar("preparing clips", shown=progress) as show:
        info, copies = prepare_clips(planned, _shown(_worker(local), show))
    return Prepared(where, info, copies)


def _worker(local: bool) -> MapTasks:
    if local:
        return run_here
    from s2v_ray.cluster.preparation import run_in_parallel  # loads Ray

    return run_in_parallel


def _shown(map_tasks: MapTasks, show: Show) -> MapTasks:
    def shown(work: Callable[[SourceTask], int], tasks: Sequence[SourceTask]) -> Iterator[tuple[str, int]]:
        started = time.monotonic()
        for number, (name, result) in enumerate(map_tasks(work, tasks), start=1):
            yield name, result
            rate = number / (time.monotonic() - started)
            show(number / len(tasks), f"{number} of {len(tasks)} videos, {rate:.2g} a second")

    return shown
