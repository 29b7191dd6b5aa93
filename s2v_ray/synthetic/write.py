"""Synthetic videos with sound, as files."""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from s2v_ray.errors import UserError
from s2v_ray.media.encode import write_video
from s2v_ray.synthetic.scenes import SCENES


def synthesize(
    domain: str,
    out_directory: str | Path,
    *,
    sources: int,
    seed: int,
    seconds: float,
    size: int,
    frame_rate: Fraction = Fraction(30),
    sample_rate: int = 44100,
    resample: int = 0,
    repaint: Callable[[Iterator[np.ndarray]], Iterator[np.ndarray]] | None = None,
    on_source: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `<domain>_0000.mp4` and so on, `sources` videos of `size` × `size` pixels; returns their paths.

    A file depends only on `seed`, `resample` and its own number, so more sources leave the first ones unchanged.
    Another `resample` gives the same sounds and events from the same first images, but resamples what follows from
    neither: how much such a pair of videos agrees is the most that a model could predict.
    `repaint` maps the frames of a video to those that are written. `on_source` is called with the number of each file
    after it is written, whole.

    Raises UserError for an unknown domain, a number out of range, a sample rate that is no multiple of the frame rate,
    and a folder that can't be written.
    """
    if domain not in SCENES:
        raise UserError(
            "unknown_domain", f"There is no synthetic domain '{domain}'; choose one of {', '.join(SCENES)}."
        )
    numbers = (("sources", sources, 1), ("seed", seed, 0), ("resample", resample, 0), ("size", size, 32))
    for name, value, minimum in numbers:
        if value < minimum:
            raise UserError(
                "out_of_range", f"--{name} is {value}, but must be at least {minimum}; give a larger number."
            )
    if size % 2:
        raise UserError(
            "out_of_range", f"--size is {size}, but H.264 takes even sizes only; use {size - 1} or {size + 1}."
        )
    if not math.isfinite(seconds) or round(seconds * frame_rate) < 1:
        raise UserError(
            "out_of_range", f"--seconds is {seconds}, but must last at least one frame; give a number such as 4."
        )
    directory = Path(out_directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "not_writable", f"The folder '{directory}' can't be made: {error.strerror}; choose another."
        ) from error
    paths = []
    for index in range(sources):
        source_seed, nuisance_seed = _seeds(seed, index)
        if resample:
            nuisance_seed = _seeds(seed, index, resample)[1]
        frames, wave = SCENES[domain](
            source_seed, nuisance_seed, seconds=seconds, size=size, frame_rate=frame_rate, sample_rate=sample_rate
        )
        paths.append(directory / f"{domain}_{index:04d}.mp4")
        write_video(
            paths[-1], repaint(frames) if repaint else frames, wave, frame_rate=frame_rate, sample_rate=sample_rate
        )
        if on_source is not None:
            on_source(index)
    return paths


def _seeds(*entropy: int) -> tuple[int, int]:
    source_seed, nuisance_seed = np.random.SeedSequence(entropy).generate_state(2)
    return int(source_seed), int(nuisance_seed)
