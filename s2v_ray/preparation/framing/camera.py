"""Following the camera: what it moves by is undone, in a square that leaves room for it."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from s2v_ray.dataset.settings import AUTO, CAMERA, ClipSettings
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.preparation.framing.apply import CAMERA_CROP, stabilised
from s2v_ray.preparation.framing.areas import centred, cut_of, moved_inside, view_of
from s2v_ray.preparation.framing.framing import Framing
from s2v_ray.preparation.framing.samples import some_windows
from s2v_ray.preparation.quality.camera_motion import camera_motion
from s2v_ray.preparation.stabilise import points_moved

# `auto` stabilises from this motion of the camera, in sides a second.
LEAST_CAMERA_MOTION = 0.03
_LEAST_CAMERA_GAIN = 0.5  # what may be left of the camera's motion


def following_camera(
    media: MediaFile,
    starts: Sequence[Fraction],
    framing: Framing,
    width: int,
    height: int,
    settings: ClipSettings,
) -> Framing:
    """The framing that undoes the camera's motion; `framing` itself where `auto` finds none, or does not steady it."""
    largest = centred(width, height)
    size = round(CAMERA_CROP * largest.size)
    crop = framing.crop or moved_inside(largest, ((largest.size - size) // 2,) * 2, size, width, height)
    view, pixels = view_of(crop, width, height, settings.stored_size)
    cut_23 = cut_of(view, pixels, crop, settings.stored_size)
    followed = replace(framing, crop=crop, mode=CAMERA, view=view, view_pixels=pixels, cut_23=cut_23)
    before, after, moved = [], [], []
    for frames_THWC in some_windows(media, starts, view, pixels, settings).values():
        stable_THWC, transforms_T23 = stabilised(frames_THWC, followed, settings.stored_size)
        before.append(camera_motion(frames_THWC, settings.rate))
        after.append(camera_motion(stable_THWC, settings.rate))
        moved.append(points_moved(transforms_T23, settings.stored_size / 2, settings.stored_size / 2))
    if not before:
        return framing
    motion_before, motion_after = np.median(before), np.median(after)
    is_still = motion_before < LEAST_CAMERA_MOTION  # not known yet, where nothing was scanned
    if settings.stabilize == AUTO and (is_still or motion_after > _LEAST_CAMERA_GAIN * motion_before):
        return framing
    shift_pixels = float(np.sqrt(np.square(np.concatenate(moved)).sum(axis=1).mean()))
    return replace(followed, shift_pixels=shift_pixels)
