"""Following the subject: its square stays with what surrounds it, and stands where its scene shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from s2v_ray.dataset.settings import SUBJECT, ClipSettings
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.preparation.framing.areas import (
    MOVED_BY_SOUND,
    centre_of,
    centred,
    cut_of,
    mask_of,
    offset_between,
    pixels_of,
    view_of,
)
from s2v_ray.preparation.framing.framing import Framing
from s2v_ray.preparation.framing.samples import some_windows
from s2v_ray.preparation.scene import Placement, Scene, unpacked
from s2v_ray.preparation.stabilise import (
    IDENTITY,
    LEAST_CORRELATION,
    LEAST_GAIN,
    Registration,
    points_moved,
    register_frames,
    register_images,
    register_near,
    smooth_grey,
    unrest,
    warp,
)

# Takes are aligned by what lies within this of the square's centre.
_ALIGNED = 0.55
# `auto` stabilises from this root mean square of the shift, in stored pixels.
_LEAST_SHIFT_PIXELS = 0.3


def following_subject(
    media: MediaFile,
    starts: Sequence[Fraction],
    framing: Framing,
    scene: Scene | None,
    placement: Placement,
    width: int,
    height: int,
    settings: ClipSettings,
) -> Framing:
    """The framing that follows what surrounds the square; a still one where that does not move, or can't be found."""
    crop = framing.crop or centred(width, height)
    view, pixels = view_of(crop, width, height, settings.stored_size)
    scene_view = scene.view if scene and scene.crop and scene.reference else None
    if scene and scene.crop and scene_view:
        placed = placement.of(scene_view, width, height)
        if placed.size == round(placement.scale * scene_view.size):
            view, pixels = placed, pixels_of(scene_view, scene.crop, settings.stored_size)
        else:
            scene_view = None  # these frames don't show all of it
    mask_HW = mask_of(view, pixels, crop, MOVED_BY_SOUND, inside=False)
    frames = some_windows(media, starts, view, pixels, settings)
    windows = {start: smooth_grey(frames_THWC) for start, frames_THWC in frames.items()}
    first = _first_found(windows, mask_HW)
    if first is None:
        return framing
    reference_HW = first[1].reference_HW
    found = {
        start: first[1] if start == first[0] else register_near(grey_THW, mask_HW, reference_HW)
        for start, grey_THW in windows.items()
    }
    placement_23, cut_23, placed_well = IDENTITY, cut_of(view, pixels, crop, settings.stored_size), False
    if scene and scene.crop and scene_view:
        inner_HW = mask_of(scene_view, pixels, scene.crop, _ALIGNED, inside=True)
        placed_23, correlation = register_images(unpacked(scene.reference), reference_HW, inner_HW)
        if placed_well := correlation >= LEAST_CORRELATION:
            placement_23, cut_23 = placed_23, cut_of(scene_view, pixels, scene.crop, settings.stored_size)
    x, y = centre_of(view, pixels, crop)
    moved_T2 = np.concatenate([points_moved(one.transforms_T23, x, y) for one in found.values()])
    shift_pixels = float(np.sqrt(np.square(moved_T2 - moved_T2.mean(axis=0)).sum(axis=1).mean()))
    followed = replace(
        framing, crop=crop, mode=SUBJECT, shift_pixels=shift_pixels,
        view=view, view_pixels=pixels, reference_HW=reference_HW, placement_23=placement_23, cut_23=cut_23,
        found=found,
    )  # fmt: skip
    if settings.stabilize == SUBJECT:
        return followed
    before = np.mean([unrest(grey_THW, mask_HW) for grey_THW in windows.values()])
    still = [warp(grey_THW, found[start].transforms_T23) for start, grey_THW in windows.items()]
    after = np.mean([unrest(grey_THW, mask_HW) for grey_THW in still])
    moves = shift_pixels >= _LEAST_SHIFT_PIXELS and after <= LEAST_GAIN * before
    stands_elsewhere = False
    if scene_view and placed_well:
        offset = points_moved(placement_23[None], x, y)[0] + offset_between(scene_view, view) * pixels / view.size
        stands_elsewhere = view.size != scene_view.size or float(np.hypot(*offset)) >= _LEAST_SHIFT_PIXELS
    if (moves or stands_elsewhere) and all(one.found for one in found.values()):
        return followed
    return replace(framing, shift_pixels=shift_pixels)


def scene_reference(
    media: MediaFile, starts: Sequence[Fraction], crop: Crop, width: int, height: int, settings: ClipSettings
) -> tuple[Crop, np.ndarray] | None:
    """The area around a scene's square, and what the source shows there, in grey: the mean of its registered frames.

    None where they can't be registered.
    """
    view, pixels = view_of(crop, width, height, settings.stored_size)
    mask_HW = mask_of(view, pixels, crop, MOVED_BY_SOUND, inside=False)
    windows = some_windows(media, starts, view, pixels, settings)
    found = _first_found({start: smooth_grey(frames_THWC) for start, frames_THWC in windows.items()}, mask_HW)
    return None if found is None else (view, found[1].reference_HW)


def _first_found(windows: Mapping[Fraction, np.ndarray], mask_HW: np.ndarray) -> tuple[Fraction, Registration] | None:
    """The start of the first window, grey [T, H, W], whose frames are found in their own mean, and where they are."""
    for start, grey_THW in windows.items():
        found = register_frames(grey_THW, mask_HW)
        if found.found:
            return start, found
    return None
