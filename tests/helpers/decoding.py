"""Shared by the tests of decoding."""

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from s2v_ray.errors import MediaError
from s2v_ray.media.audio_file import sound_blocks
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.probe import MediaInfo, probe
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.media.decoding.windows import Window, decode_windows

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
FRAME_RATE, SAMPLE_RATE = Fraction(30), 44100


def ffmpeg(*arguments: str) -> bytes:
    return subprocess.run([FFMPEG, "-v", "error", "-y", *arguments], capture_output=True, check=True).stdout


def probe_path(path: Path | str) -> MediaInfo:
    with MediaFile(path) as media:
        return probe(media)


def read_sound(path: Path | str, sample_rate: int, *, audio_track: int = 0) -> np.ndarray:
    """All of a file's sound, int16 [S]."""
    return np.concatenate([np.zeros(0, np.int16), *sound_blocks(path, sample_rate, audio_track=audio_track)])


def windows_of(
    path: Path | str, starts: list[Fraction], frame_count: int, size: int = 32, crop: Crop | None = None
) -> list[Window | MediaError]:
    with MediaFile(path) as media:
        found = decode_windows(
            media,
            starts,
            frame_count=frame_count,
            frame_rate=FRAME_RATE,
            sample_rate=SAMPLE_RATE,
            size=size,
            crop=crop,
        )
        return [window for _, window in found]


def window_of(path: Path, start: Fraction, frame_count: int, size: int = 32) -> Window:
    (window,) = windows_of(path, [start], frame_count, size)
    assert isinstance(window, Window), window
    return window


def reason_of(window: Window | MediaError) -> str:
    return window.code if isinstance(window, MediaError) else "fine"
