"""Synthetic videos with sound, as files."""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from s2v_ray.errors import UserError
from s2v_ray.media.encode import DEFAULT_CRF, write_video
from s2v_ray.storage.os_errors import reason
from s2v_ray.synthetic.nuisance.levels import LEVELS, Level
from s2v_ray.synthetic.nuisance.picture import disturbed_frames
from s2v_ray.synthetic.nuisance.room import disturbed_sound
from s2v_ray.synthetic.scenes import PEOPLE, SCENES

_FRAME_RATE, _SAMPLE_RATE = Fraction(30), 44100


def synthesize(
    domain: str,
    out_directory: str | Path,
    *,
    sources: int,
    seed: int,
    seconds: float,
    size: int,
    resample: int = 0,
    nuisance: Level = "off",
    repaint: Callable[[Iterator[np.ndarray]], Iterator[np.ndarray]] | None = None,
    on_source: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `<domain>_0000.mp4` and so on, `sources` videos of `size` × `size` pixels at 30 fps; returns their paths.

    A file depends only on `seed`, `resample` and its own number, so more sources leave the first ones unchanged.
    Another `resample` gives the same sounds and events from the same first images, but resamples what follows from
    neither: how much such a pair of videos agrees is the most that a model could predict.
    `nuisance` adds what real recordings hold beside that (`nuisance/levels.py`) and leaves the events as they are.
    `resample` resamples how it changes the picture from the first image on, but not what it adds to the sound, since
    the sound is what a model is given.
    `repaint` maps the frames of a scene to other ones. `on_source` is called with the number of each file
    after it is written, whole.

    Raises UserError `unknown_domain`, `unknown_nuisance`, `out_of_range` and `not_writable`.
    """
    if domain not in SCENES:
        raise UserError("unknown_domain", f"There is no domain '{domain}'; choose one of {', '.join(SCENES)}.")
    if nuisance not in LEVELS:
        raise UserError("unknown_nuisance", f"There is no nuisance '{nuisance}'; choose one of {', '.join(LEVELS)}.")
    amount = LEVELS[nuisance]
    numbers = (("sources", sources, 1), ("seed", seed, 0), ("resample", resample, 0), ("size", size, 32))
    for name, value, minimum in numbers:
        if value < minimum:
            raise UserError("out_of_range", f"--{name} is {value}; give a number of at least {minimum}.")
    if size % 2:
        raise UserError("out_of_range", f"--size is {size}, but H.264 takes even sizes only; use {size + 1}.")
    if not math.isfinite(seconds) or round(seconds * _FRAME_RATE) < 1:
        raise UserError("out_of_range", f"--seconds is {seconds}, shorter than a frame; give a number such as 4.")
    directory = Path(out_directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError("not_writable", f"The folder '{directory}' can't be made: {reason(error)}.") from error

    def write(index: int) -> Path:
        source_seed, nuisance_seed = np.random.SeedSequence((seed, index)).generate_state(2).tolist()
        if resample:
            nuisance_seed = int(np.random.SeedSequence((seed, index, resample)).generate_state(2)[1])
        frames, wave = SCENES[domain](
            source_seed, nuisance_seed, seconds=seconds, size=size, frame_rate=_FRAME_RATE, sample_rate=_SAMPLE_RATE
        )
        if repaint:
            frames = repaint(frames)
        if amount:
            frames = disturbed_frames(
                frames,
                amount,
                source_seed=source_seed,
                nuisance_seed=nuisance_seed,
                seconds_T=(np.arange(round(seconds * _FRAME_RATE)) + 0.5) / float(_FRAME_RATE),
                person=domain in PEOPLE,
            )
            wave = disturbed_sound(wave, amount, source_seed=source_seed, sample_rate=_SAMPLE_RATE)
        path = directory / f"{domain}_{index:04d}.mp4"
        crf = amount.crf if amount else DEFAULT_CRF
        write_video(path, frames, wave, frame_rate=_FRAME_RATE, sample_rate=_SAMPLE_RATE, crf=crf)
        return path

    paths = []
    # Most of the time goes into operations on arrays, during which other threads run; none is so large that it gains by
    # threads of its own.
    threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="synthesizing")
    with threadpool_limits(1, user_api="blas"):
        try:
            for index, path in enumerate(threads.map(write, range(sources))):
                paths.append(path)
                if on_source:
                    on_source(index)
        finally:
            threads.shutdown(cancel_futures=True)
    return paths
