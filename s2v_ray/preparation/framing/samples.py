"""What is looked at of a source before its framing is decided: a few windows, and frames spread over it."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop, scaled_width
from s2v_ray.media.decoding.timeline import frame_windows
from s2v_ray.preparation.autocrop import SCAN_HEIGHT, read_whole_frames
from s2v_ray.preparation.stabilise import median_image, smooth_grey

_WINDOWS = 4  # of a source that are examined
_LOOKS = 12  # frames of a source by which its scene is recognised


def some_windows(
    media: MediaFile, starts: Sequence[Fraction], view: Crop, pixels: int, settings: ClipSettings
) -> dict[Fraction, np.ndarray]:
    """Up to four windows by their starts, uint8 RGB [T, pixels, pixels, 3]; those that lack picture are left out."""
    step = max(1, -(-len(starts) // _WINDOWS))
    some = starts[step // 2 :: step]
    windows = frame_windows(media, some, frame_count=settings.frames, frame_rate=settings.rate, size=pixels, crop=view)
    pairs = zip(some, windows, strict=True)
    return {start: frames_THWC for start, frames_THWC in pairs if not isinstance(frames_THWC, MediaError)}


def overview(
    media: MediaFile, starts: Sequence[Fraction], width: int, height: int, settings: ClipSettings
) -> np.ndarray | None:
    """The median of frames spread over a source, grey, scaled to the height of a scan; None where it has no picture."""
    step = max(1, -(-len(starts) // _WINDOWS))
    some = starts[step // 2 :: step]
    count, scan_width = _LOOKS // len(some), scaled_width(width, height, SCAN_HEIGHT)
    frames = []
    for start in some:
        try:
            frames.append(read_whole_frames(media, start, count, count / settings.seconds, scan_width))
        except MediaError as error:
            if error.code != "no_picture_in_window":
                raise
    return median_image(smooth_grey(np.concatenate(frames))) if frames else None
