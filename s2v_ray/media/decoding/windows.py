"""Windows of a video file: square frames and mono samples of the same stretch of its clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from s2v_ray.errors import MediaError
from s2v_ray.media.clock import samples_per_frame
from s2v_ray.media.decoding.audio import sound_windows
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.media.decoding.timeline import frame_windows


@dataclass(frozen=True)
class Window:
    """What a file shows and sounds like from `start` seconds after its start.

    `frames_THWC`: uint8 RGB [T, S, S, 3]. `wave`: int16 mono [T · samples per frame].
    """

    start: Fraction
    frames_THWC: np.ndarray
    wave: np.ndarray


def decode_windows(
    media: MediaFile,
    starts: Sequence[Fraction],
    *,
    frame_count: int,
    frame_rate: Fraction,
    sample_rate: int,
    size: int,
    crop: Crop | None = None,
    sound_shift: Fraction = Fraction(0),
) -> Iterator[tuple[Fraction, Window | MediaError]]:
    """Yield each of the sorted `starts` (seconds) with its window of `frame_count` frames, which may overlap.

    Time zero is the file's start: the earlier of its two streams' first presentation times. Frame t is what is
    displayed at start + (t + ½) / frame_rate, upright, its `crop` (by default its central square) scaled to `size`;
    sample n is heard at start + `sound_shift` + n / sample_rate. What no window needs is not decoded, nothing
    is decoded twice, and only the windows being filled are held in memory.

    A window that the file doesn't fill comes as MediaError `no_picture_in_window` or `no_sound_in_window`.
    Raises MediaError `not_found`, `unreadable`, `no_video`, `no_audio`, `undecodable_video`, `undecodable_audio`,
    `crop_outside`, `too_slow` or `too_large`; UserError where frame_rate doesn't divide sample_rate; ValueError for
    unsorted starts.
    """
    sample_count = frame_count * samples_per_frame(sample_rate, frame_rate)
    if any(later < earlier for earlier, later in pairwise(starts)):
        raise ValueError("starts must be sorted, earliest first.")
    frames = frame_windows(media, starts, frame_count=frame_count, frame_rate=frame_rate, size=size, crop=crop)
    sounds = sound_windows(
        media, [start + sound_shift for start in starts], sample_rate=sample_rate, sample_count=sample_count
    )
    for start, frames_THWC, wave in zip(starts, frames, sounds, strict=True):
        if isinstance(frames_THWC, MediaError):
            yield start, frames_THWC
        elif isinstance(wave, MediaError):
            yield start, wave
        else:
            yield start, Window(start, frames_THWC, wave)
