"""Made-up videos with sound, as files."""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from s2v_ray.errors import UserError
from s2v_ray.media.encode import write_video
from s2v_ray.synthetic import fireworks, hand, mouth, sea

SCENES = {"mouth": mouth.scene, "hand": hand.scene, "fireworks": fireworks.scene, "sea": sea.scene}


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
    redraw: int = 0,
    repaint: Callable[[Iterator[np.ndarray]], Iterator[np.ndarray]] | None = None,
    on_source: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `<domain>_0000.mp4` and so on, `sources` videos of `size` × `size` pixels; returns their paths.

    A file depends on `seed`, `redraw` and its own number only, so more sources leave the first ones as they are.
    Another `redraw` gives the same pictures, sounds and events, but draws again what neither picture nor sound tells:
    how alike the two are is what there is to tell.
    Each file is replaced as a whole. `repaint` changes the frames of each; `on_source` is called with the number of
    each file written.

    Raises UserError for an unknown domain, a number out of range, rates that do not divide, and a folder that
    cannot be written.
    """
    if domain not in SCENES:
        raise UserError(f"There is no synthetic domain '{domain}'; choose one of {', '.join(SCENES)}.")
    for name, value, least in (("sources", sources, 1), ("seed", seed, 0), ("redraw", redraw, 0), ("size", size, 32)):
        if value < least:
            raise UserError(f"--{name} is {value}, but must be at least {least}; give a larger number.")
    if size % 2:
        raise UserError(f"--size is {size}, but H.264 takes even sizes only; use {size - 1} or {size + 1}.")
    if not math.isfinite(seconds) or round(seconds * frame_rate) < 1:
        raise UserError(f"--seconds is {seconds}, but must last at least one frame; give a number such as 4.")
    directory = Path(out_directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder '{directory}': {error.strerror}; choose another place.") from error
    paths = []
    for index in range(sources):
        source_seed, loose_seed = _seeds(seed, index)
        if redraw:
            loose_seed = _seeds(seed, index, redraw)[1]
        frames, wave = SCENES[domain](
            source_seed, loose_seed, seconds=seconds, size=size, frame_rate=frame_rate, sample_rate=sample_rate
        )
        paths.append(directory / f"{domain}_{index:04d}.mp4")
        write_video(
            paths[-1], repaint(frames) if repaint else frames, wave, frame_rate=frame_rate, sample_rate=sample_rate
        )
        if on_source is not None:
            on_source(index)
    return paths


def _seeds(*entropy: int) -> tuple[int, int]:
    source_seed, loose_seed = np.random.SeedSequence(entropy).generate_state(2)
    return int(source_seed), int(loose_seed)
