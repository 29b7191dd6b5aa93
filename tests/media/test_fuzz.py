"""Damaged files (bits flipped, parts zeroed, cut off) give windows or say why; none takes the process down."""

import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.videos import MEDIA, REAL, needs_real_videos

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.limits import Budget, Limits
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import probe
from s2v_ray.media.decoding.windows import decode_windows

OWN_PATHS = [
    MEDIA / name
    for name in (
        "demo.3gp",
        "each_second.mp4",
        "fragmented.mp4",
        "demo.mkv",
        "demo.flv",
        "demo.ts",
        "wide_pixels.mpg",
        "demo.wmv",
        "demo.webm",
    )
]
REAL_PATHS = [
    REAL / "formats" / name
    for name in (
        "PHP-FFMpeg_sample.3gp",
        "androidx_sample_av1.mp4",
        "androidx_sample_fragmented.mp4",
        "androidx_sample.mkv",
        "androidx_sample.flv",
        "mdn_segment001.ts",
        "streamio_weird_aspect.small.mpg",
        "apache_testWMV.wmv",
        "mdn_rabbit320.webm",
    )
]
both_collections = pytest.mark.parametrize(
    "originals",
    [pytest.param(OWN_PATHS, id="own"), pytest.param(REAL_PATHS, id="real", marks=needs_real_videos)],
)
FRAME_COUNT, FRAME_RATE, SAMPLE_RATE, SIZE = 9, Fraction(30), 44100, 16
MAX_SECONDS = 20.0
REASONS = {
    "unreadable",
    "no_video",
    "no_audio",
    "undecodable_video",
    "undecodable_audio",
    "no_picture_in_window",
    "no_sound_in_window",
    "too_large",
    "too_long",
}


def damage(content: bytes, seed: int) -> bytes:
    """One of three kinds of damage, spread over the file or near its beginning, by `seed`."""
    random = np.random.default_rng(seed)
    damaged = np.frombuffer(content, np.uint8).copy()
    reach = len(damaged) if seed % 2 else min(len(damaged), 4096)
    if seed % 3 == 0:
        indices = random.integers(0, reach, random.integers(1, 60))
        damaged[indices] ^= (1 << random.integers(0, 8, len(indices))).astype(np.uint8)
    elif seed % 3 == 1:
        first = int(random.integers(0, reach))
        damaged[first : first + int(random.integers(1, 2000))] = 0
    else:
        damaged = damaged[: int(random.integers(1, len(damaged)))]
    return damaged.tobytes()


def outcomes(path: Path) -> tuple[list[str], float]:
    """What becomes of three windows of `path`, by reason, and the seconds that it took."""
    started_at = time.monotonic()
    budget = Budget(Limits(max_source_seconds=MAX_SECONDS))
    found = []
    try:
        with MediaFile(path, budget) as media:
            info = probe(media)
            start = max(info.picture_start, info.sound_start, Fraction(0))
            starts = [start, start + Fraction(1, 2), start + Fraction(6)]
            for _, window in decode_windows(
                media, starts, frame_count=FRAME_COUNT, frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE, size=SIZE
            ):
                if isinstance(window, MediaError):
                    found.append(window.code)
                else:
                    assert window.frames_THWC.shape == (FRAME_COUNT, SIZE, SIZE, 3)
                    assert window.wave.shape == (FRAME_COUNT * 1470,)
                    found.append("fine")
    except MediaError as error:
        found.append(error.code)
    return found, time.monotonic() - started_at


def fuzz(originals: list[Path], folder: Path, variants_per_file: int) -> Counter[str]:
    paths = []
    for index, original in enumerate(originals):
        content = original.read_bytes()
        for variant in range(variants_per_file):
            path = folder / f"{index}-{variant}-{original.name}"
            path.write_bytes(damage(content, 1000 * index + variant))
            paths.append(path)
    counts: Counter[str] = Counter()
    # In a process of its own: a decoder that crashes fails this test and not all of them.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for path, (found, seconds) in zip(paths, pool.map(outcomes, paths), strict=True):
            assert found, path
            assert set(found) <= {"fine"} | REASONS, (path, found)
            assert seconds < MAX_SECONDS, path
            counts["variants"] += 1
            counts["with clips" if "fine" in found else found[0]] += 1
    return counts


@both_collections
def test_damaged_files_give_windows_or_say_why(originals: list[Path], tmp_path: Path) -> None:
    counts = fuzz(originals, tmp_path, variants_per_file=7)
    assert counts["variants"] == 63
    assert counts["with clips"] > 15  # damage costs what it hits, not the whole file


@pytest.mark.slow
@both_collections
def test_many_damaged_files_give_windows_or_say_why(originals: list[Path], tmp_path: Path) -> None:
    counts = fuzz(originals, tmp_path, variants_per_file=60)
    print(dict(counts))
    assert counts["variants"] == 540
    assert counts["with clips"] > 150
