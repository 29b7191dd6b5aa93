"""A source's windows as a framing shows them: each frame found, and the stored square cut out of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np

from s2v_ray.dataset.settings import OFF, ClipSettings
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.windows import Window, decode_windows
from s2v_ray.preparation.framing.areas import MOVED_BY_SOUND, centre_of, cut_of, mask_of
from s2v_ray.preparation.framing.framing import Framing
from s2v_ray.preparation.stabilise import (
    IDENTITY,
    Registration,
    compose,
    points_moved,
    register_frames,
    register_near,
    smooth_grey,
    warp,
)

# The square that follows a camera is this much of the largest, and goes so far, in its sides, that it stays inside.
CAMERA_CROP = 0.85
_MOST_CAMERA_SHIFT = (1 / CAMERA_CROP - 1) / 2
_MOST_SUBJECT_SHIFT = 0.5
_UNSTEADY = 0.3  # the share of pixels that the camera is not followed by, since they move most by themselves

FramedWindow = tuple[Fraction, Window | MediaError, np.ndarray]


def framed_windows(
    media: MediaFile,
    starts: Sequence[Fraction],
    framing: Framing,
    settings: ClipSettings,
    *,
    sound_shift: Fraction = Fraction(0),
) -> Iterator[FramedWindow]:
    """Each of the sorted `starts` with its window as `decode_windows` yields it, framed, and how it was stabilised.

    That is float32 [T, 2, 3]: the pixel (x, y) of stored frame t shows what stands at M · (x, y, 1) of the square that
    is not moved, in stored pixels. A window in which the frames can't be found stays as it is. Raises as
    `decode_windows`.
    """
    is_off = framing.mode == OFF
    windows = decode_windows(
        media,
        starts,
        frame_count=settings.frames,
        frame_rate=settings.rate,
        sample_rate=settings.sample_rate,
        size=settings.stored_size if is_off else framing.view_pixels,
        crop=framing.crop if is_off else framing.view,
        sound_shift=sound_shift,
    )
    still_T23 = np.broadcast_to(IDENTITY, (settings.frames, 2, 3))
    for start, window in windows:
        if is_off or isinstance(window, MediaError):
            yield start, window, still_T23
        else:
            frames_THWC, transforms_T23 = stabilised(window.frames_THWC, framing, settings.stored_size, start)
            yield start, replace(window, frames_THWC=frames_THWC), transforms_T23


def stabilised(
    frames_THWC: np.ndarray, framing: Framing, stored_size: int, start: Fraction | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The square of each frame of `framing.view`, and the transforms of `framed_windows`."""
    view, pixels, crop, cut_23 = framing.view, framing.view_pixels, framing.crop, framing.cut_23
    if view is None or crop is None or cut_23 is None:
        raise ValueError("a framing that stabilises has a crop, a view and a cut.")
    if framing.reference_HW is None:
        found, limit = _camera_registration(smooth_grey(frames_THWC)), _MOST_CAMERA_SHIFT
    elif start is not None and start in framing.found:
        found, limit = framing.found[start], _MOST_SUBJECT_SHIFT
    else:
        mask_HW = mask_of(view, pixels, crop, MOVED_BY_SOUND, inside=False)
        found, limit = register_near(smooth_grey(frames_THWC), mask_HW, framing.reference_HW), _MOST_SUBJECT_SHIFT
    transforms_T23 = found.transforms_T23
    furthest = np.abs(points_moved(transforms_T23, *centre_of(view, pixels, crop))).max()
    if not found.found or furthest > limit * stored_size:
        transforms_T23 = np.broadcast_to(IDENTITY, transforms_T23.shape)
    uncut_23 = np.asarray(cv2.invertAffineTransform(cut_of(view, pixels, crop, stored_size)), np.float32)
    cuts_T23 = np.stack([compose(compose(M, framing.placement_23), cut_23) for M in transforms_T23])
    square_THWC = warp(frames_THWC, cuts_T23, cv2.INTER_CUBIC, (stored_size, stored_size))
    return square_THWC, np.stack([compose(uncut_23, M) for M in cuts_T23])


def _camera_registration(grey_THW: np.ndarray) -> Registration:
    """Frames registered to their own mean by the part of the picture that moves least by itself."""
    everything_HW = np.full(grey_THW.shape[1:], 255, np.uint8)
    found = register_frames(grey_THW, everything_HW)
    if not found.found:
        return found
    deviation_HW = warp(grey_THW, found.transforms_T23).std(axis=0)
    steady_HW = (deviation_HW <= np.quantile(deviation_HW, 1 - _UNSTEADY)).astype(np.uint8) * 255
    return register_frames(grey_THW, steady_HW, found.reference_HW)
