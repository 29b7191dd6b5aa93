"""Videos, sounds and pictures broken by structure give frames and samples, or a named error."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.decoding import read_sound
from robustness import containers, pictures, seeds
from robustness.fuzzing import EXAMPLES, MANY_EXAMPLES, fuzz
from robustness.structure import Layout, Variant, variants

from s2v_ray.errors import UserError
from s2v_ray.media.decoding.limits import Budget, Limits
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import probe
from s2v_ray.media.decoding.windows import Window, decode_windows
from s2v_ray.media.image import read_picture

FRAMES, FRAME_RATE, SAMPLE_RATE, SIZE = 6, Fraction(25), 8000, 16


@dataclass(frozen=True)
class Kind:
    """A kind of file: a valid one, its structure, what mends its checksums, and which door reads it."""

    make: Callable[[Path], bytes]
    layout: Callable[[bytes], Layout]
    door: Callable[[Path], str]
    mend: Callable[[bytes], bytes] = lambda content: content


def video_door(path: Path) -> str:
    """Windows, as `prepare` cuts them; then the sound and the first frame, as `generate` reads them."""
    ends = [_ended(door, path) for door in (_windows, sound_door, picture_door)]
    return "result" if "result" in ends else ends[0]


def _windows(path: Path) -> str:
    with MediaFile(path, Budget(Limits(max_source_seconds=15))) as media:
        info = probe(media)
        start = max(info.picture_start, info.sound_start, Fraction(0))
        found = decode_windows(
            media,
            [start, start + Fraction(1, 5), start + 6],
            frame_count=FRAMES,
            frame_rate=FRAME_RATE,
            sample_rate=SAMPLE_RATE,
            size=SIZE,
        )
        windows = [window for _, window in found]
    good = [window for window in windows if isinstance(window, Window)]
    for window in good:
        assert window.frames_THWC.shape == (FRAMES, SIZE, SIZE, 3)
        assert window.wave.shape == (FRAMES * SAMPLE_RATE // 25,)
    return "result" if good else "no window"


def sound_door(path: Path) -> str:
    """The whole sound of a file."""
    wave = read_sound(path, SAMPLE_RATE)
    assert wave.ndim == 1
    return "result"


def picture_door(path: Path) -> str:
    """A picture, or a video's first frame."""
    picture_HWC = read_picture(path, may_reduce=True)
    assert picture_HWC.dtype == np.uint8
    assert picture_HWC.ndim == picture_HWC.shape[2] == 3
    return "result"


def _ended(door: Callable[[Path], str], path: Path) -> str:
    try:
        return door(path)
    except UserError as error:
        return error.code


def _mp4_in(container: str, **options: str) -> Callable[[Path], bytes]:
    return lambda folder: seeds.remuxed(seeds.mp4_file(folder), container, **options)


KINDS = {
    "mp4": Kind(seeds.mp4_file, containers.mp4, video_door),
    "fragmented.mp4": Kind(_mp4_in("mp4", movflags="frag_keyframe+empty_moov"), containers.mp4, video_door),
    "mkv": Kind(_mp4_in("matroska"), containers.matroska, video_door),
    "ts": Kind(_mp4_in("mpegts"), containers.transport_stream, video_door, containers.mended_transport_stream),
    "ogg": Kind(lambda folder: seeds.ogg_file(), containers.ogg, sound_door, containers.mended_ogg),
    "wav": Kind(lambda folder: seeds.wav_file(), containers.wav, sound_door),
    "png": Kind(lambda folder: seeds.picture_file("PNG"), pictures.png, picture_door, pictures.mended_png),
    "jpg": Kind(lambda folder: seeds.picture_file("JPEG"), pictures.jpeg, picture_door),
}


def media_door(example: tuple[str, Variant], folder: Path) -> str:
    """What the door for this kind of file says of it."""
    kind, variant = example
    path = folder / f"broken.{kind.rpartition('.')[2]}"
    path.write_bytes(variant.content)
    return _ended(KINDS[kind].door, path)


def _fuzz(kind: str, folder: Path, examples: int) -> None:
    whole, described = KINDS[kind].make(folder), KINDS[kind]
    for made in folder.iterdir():
        made.unlink()
    assert media_door((kind, Variant(whole, ())), folder) == "result"
    for made in folder.iterdir():
        made.unlink()
    broken = variants(whole, described.layout(whole), described.mend).map(lambda variant: (kind, variant))
    counts = fuzz(kind, broken, media_door, folder, examples)
    assert counts["all"] >= examples
    assert counts["result"]


@pytest.mark.parametrize("kind", KINDS)
def test_media_broken_by_structure(kind: str, tmp_path: Path) -> None:
    _fuzz(kind, tmp_path, EXAMPLES)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_media_broken_by_structure(kind: str, tmp_path: Path) -> None:
    _fuzz(kind, tmp_path, MANY_EXAMPLES)
