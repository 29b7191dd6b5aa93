"""How the stored square is cut out of a source's frames: where it is, and how it moves with what they show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import cv2
import numpy as np

from s2v_ray.dataset.settings import AUTO, CAMERA, MOTION, OFF, SUBJECT, ClipSettings
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop, check_inside, scaled_width
from s2v_ray.media.decoding.timeline import frame_windows
from s2v_ray.media.decoding.windows import Window, decode_windows
from s2v_ray.preparation.autocrop import SCAN_HEIGHT, find_crop, read_whole_frames, scan_motion
from s2v_ray.preparation.quality.camera_motion import camera_motion
from s2v_ray.preparation.scene import Place, Scene, best_scene, unpacked
from s2v_ray.preparation.stabilise import (
    IDENTITY,
    LEAST_CORRELATION,
    LEAST_GAIN,
    Registration,
    compose,
    median_image,
    points_moved,
    register_frames,
    register_images,
    register_near,
    smooth_grey,
    unrest,
    warp,
)

# A subject is followed by what lies around its square: this much of frames, in sides of the square.
_VIEW = 2.2
# What the sound moves lies within this of the square's centre, in sides each way, and is left out.
_MOVED_BY_SOUND = 0.32
# Takes are aligned by what lies within this of the square's centre.
_ALIGNED = 0.55
# A square up to this much of the shorter side leaves enough around it to follow.
_LARGEST_FOLLOWED = 0.75
# `auto` stabilises from this root mean square of the shift, in stored pixels, or from this motion of the camera, in
# sides a second.
_LEAST_SHIFT_PIXELS, _LEAST_CAMERA_MOTION = 0.3, 0.03
# The square that follows a camera is this much of the largest, and goes so far, in its sides, that it stays inside.
_CAMERA_CROP = 0.85
_MOST_CAMERA_SHIFT = (1 / _CAMERA_CROP - 1) / 2
_MOST_SUBJECT_SHIFT = 0.5
_LEAST_CAMERA_GAIN = 0.5  # what may be left of the camera's motion
_UNSTEADY = 0.3  # the share of pixels that the camera is not followed by, since they move most by themselves
_WINDOWS = 4  # of a source that are examined
_LOOKS = 12  # frames of a source by which its scene is recognised


@dataclass(frozen=True)
class Framing:
    """How a source's frames are cropped and stabilised.

    Where `mode` is off, that is all: `crop` (None: the largest square, centred) of each. Otherwise the area `view` is
    scaled to `view_pixels`, and each frame found in it: against `reference_HW` where the subject is followed, and
    against the window's own frames where the camera is. `place_23` maps the scene's reference to `reference_HW`,
    and `cut_23` stored pixels to the scene's reference.
    """

    crop: Crop | None
    mode: str = OFF
    scene: str = ""
    shift_pixels: float = 0.0  # root mean square of what frames of the source move by, in stored pixels
    view: Crop | None = None
    view_pixels: int = 0
    reference_HW: np.ndarray | None = None
    place_23: np.ndarray = field(default_factory=lambda: IDENTITY)
    cut_23: np.ndarray | None = None
    found: Mapping[Fraction, Registration] = field(default_factory=dict)  # of windows examined before, by their starts


FramedWindow = tuple[Fraction, Window | MediaError, np.ndarray]


def find_framing(
    media: MediaFile,
    starts: Sequence[Fraction],
    width: int,
    height: int,
    settings: ClipSettings,
    scenes: Sequence[Scene] = (),
) -> Framing:
    """Decide how to crop and stabilise a source of `width` × `height` upright pixels, cut at `starts` (seconds).

    In a source that belongs to one of the `scenes`, the square is the scene's, shifted to where this source shows it.
    Raises MediaError as `scan_motion` does, `too_large`, and `crop_outside` for a given square.
    """
    crop, scene, place, moves = settings.fixed_crop(), None, Place(), None
    if crop is not None:
        check_inside(crop, width, height)  # at once: frames that are stabilised are cut out of a larger area
    overview_HW = _overview(media, starts, width, height, settings) if scenes else None
    if overview_HW is not None and (found := best_scene(scenes, overview_HW, width, height)):
        scene, place = found
        crop = scene.crop and place.of(scene.crop, width, height)
    elif settings.crop in (AUTO, MOTION) and (scan := scan_motion(media, starts, width, height, settings)):
        crop, moves = find_crop(scan.motion_2HW, width, height, settings), scan.camera_motion
    framing = Framing(crop, scene=scene.name if scene else "")
    if settings.stabilize == SUBJECT or (
        settings.stabilize == AUTO and crop is not None and crop.size <= _LARGEST_FOLLOWED * min(width, height)
    ):
        return _following_subject(media, starts, framing, scene, place, width, height, settings)
    if settings.stabilize == CAMERA or (
        settings.stabilize == AUTO and (moves is None or moves >= _LEAST_CAMERA_MOTION)
    ):
        return _following_camera(media, starts, framing, width, height, settings)
    return framing


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
            frames_THWC, transforms_T23 = _stabilised(window.frames_THWC, framing, settings.stored_size, start)
            yield start, replace(window, frames_THWC=frames_THWC), transforms_T23


def in_words(framing: Framing) -> str:
    """What is done about motion of the subject or the camera, and how much there was."""
    scene = f", as in {framing.scene.replace('_', ' ')}" if framing.scene else ""
    if framing.mode == OFF:
        return f"not stabilised{scene}"
    return f"follows the {framing.mode}, which moved by {framing.shift_pixels:.1f} stored pixels (rms){scene}"


def square_of(framing: Framing, width: int, height: int) -> tuple[int, int, int]:
    """x, y and size of the square in upright frames of `width` × `height` pixels."""
    crop = framing.crop or _centred(width, height)
    return crop.x, crop.y, crop.size


def view_of(crop: Crop, width: int, height: int, stored_size: int) -> tuple[Crop, int]:
    """The area around a square, inside the frames, and the pixels it has where the square has `stored_size`."""
    size = min(round(_VIEW * crop.size), width, height)
    margin = (crop.size - size) // 2
    view = _inside(crop, (margin, margin), size, width, height)
    return view, _pixels(view, crop, stored_size)


def scene_reference(
    media: MediaFile, starts: Sequence[Fraction], crop: Crop, width: int, height: int, settings: ClipSettings
) -> tuple[Crop, np.ndarray] | None:
    """The area around a scene's square, and what the source shows there, in grey: the mean of its registered frames.

    None where they can't be registered.
    """
    view, pixels = view_of(crop, width, height, settings.stored_size)
    mask_HW = _mask(view, pixels, crop, _MOVED_BY_SOUND, inside=False)
    windows = _some_windows(media, starts, view, pixels, settings)
    found = _first_found({start: smooth_grey(frames_THWC) for start, frames_THWC in windows.items()}, mask_HW)
    return None if found is None else (view, found[1].reference_HW)


def _following_subject(
    media: MediaFile,
    starts: Sequence[Fraction],
    framing: Framing,
    scene: Scene | None,
    place: Place,
    width: int,
    height: int,
    settings: ClipSettings,
) -> Framing:
    """The framing that follows what surrounds the square; a still one where that does not move, or can't be found."""
    crop = framing.crop or _centred(width, height)
    view, pixels = view_of(crop, width, height, settings.stored_size)
    scene_view = scene.view if scene and scene.crop and scene.reference else None
    if scene and scene.crop and scene_view:
        placed = place.of(scene_view, width, height)
        if placed.size == round(place.scale * scene_view.size):
            view, pixels = placed, _pixels(scene_view, scene.crop, settings.stored_size)
        else:
            scene_view = None  # these frames don't show all of it
    mask_HW = _mask(view, pixels, crop, _MOVED_BY_SOUND, inside=False)
    frames = _some_windows(media, starts, view, pixels, settings)
    windows = {start: smooth_grey(frames_THWC) for start, frames_THWC in frames.items()}
    first = _first_found(windows, mask_HW)
    if first is None:
        return framing
    reference_HW = first[1].reference_HW
    found = {
        start: first[1] if start == first[0] else register_near(grey_THW, mask_HW, reference_HW)
        for start, grey_THW in windows.items()
    }
    place_23, cut_23, placed_well = IDENTITY, _cut(view, pixels, crop, settings.stored_size), False
    if scene and scene.crop and scene_view:
        inner_HW = _mask(scene_view, pixels, scene.crop, _ALIGNED, inside=True)
        placed_23, correlation = register_images(unpacked(scene.reference), reference_HW, inner_HW)
        if placed_well := correlation >= LEAST_CORRELATION:
            place_23, cut_23 = placed_23, _cut(scene_view, pixels, scene.crop, settings.stored_size)
    x, y = _centre(view, pixels, crop)
    moved_T2 = np.concatenate([points_moved(one.transforms_T23, x, y) for one in found.values()])
    shift_pixels = float(np.sqrt(np.square(moved_T2 - moved_T2.mean(axis=0)).sum(axis=1).mean()))
    followed = replace(
        framing, crop=crop, mode=SUBJECT, shift_pixels=shift_pixels,
        view=view, view_pixels=pixels, reference_HW=reference_HW, place_23=place_23, cut_23=cut_23,
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
        offset = points_moved(place_23[None], x, y)[0] + _offset(scene_view, view) * pixels / view.size
        stands_elsewhere = view.size != scene_view.size or float(np.hypot(*offset)) >= _LEAST_SHIFT_PIXELS
    if (moves or stands_elsewhere) and all(one.found for one in found.values()):
        return followed
    return replace(framing, shift_pixels=shift_pixels)


def _following_camera(
    media: MediaFile,
    starts: Sequence[Fraction],
    framing: Framing,
    width: int,
    height: int,
    settings: ClipSettings,
) -> Framing:
    """The framing that undoes the camera's motion; `framing` itself where `auto` finds none, or does not steady it."""
    largest = _centred(width, height)
    size = round(_CAMERA_CROP * largest.size)
    crop = framing.crop or _inside(largest, ((largest.size - size) // 2,) * 2, size, width, height)
    view, pixels = view_of(crop, width, height, settings.stored_size)
    cut_23 = _cut(view, pixels, crop, settings.stored_size)
    followed = replace(framing, crop=crop, mode=CAMERA, view=view, view_pixels=pixels, cut_23=cut_23)
    before, after, moved = [], [], []
    for frames_THWC in _some_windows(media, starts, view, pixels, settings).values():
        stable_THWC, transforms_T23 = _stabilised(frames_THWC, followed, settings.stored_size)
        before.append(camera_motion(frames_THWC, settings.rate))
        after.append(camera_motion(stable_THWC, settings.rate))
        moved.append(points_moved(transforms_T23, settings.stored_size / 2, settings.stored_size / 2))
    if not before:
        return framing
    motion_before, motion_after = np.median(before), np.median(after)
    is_still = motion_before < _LEAST_CAMERA_MOTION  # not known yet, where nothing was scanned
    if settings.stabilize == AUTO and (is_still or motion_after > _LEAST_CAMERA_GAIN * motion_before):
        return framing
    shift_pixels = float(np.sqrt(np.square(np.concatenate(moved)).sum(axis=1).mean()))
    return replace(followed, shift_pixels=shift_pixels)


def _stabilised(
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
        mask_HW = _mask(view, pixels, crop, _MOVED_BY_SOUND, inside=False)
        found, limit = register_near(smooth_grey(frames_THWC), mask_HW, framing.reference_HW), _MOST_SUBJECT_SHIFT
    transforms_T23 = found.transforms_T23
    furthest = np.abs(points_moved(transforms_T23, *_centre(view, pixels, crop))).max()
    if not found.found or furthest > limit * stored_size:
        transforms_T23 = np.broadcast_to(IDENTITY, transforms_T23.shape)
    uncut_23 = np.asarray(cv2.invertAffineTransform(_cut(view, pixels, crop, stored_size)), np.float32)
    cuts_T23 = np.stack([compose(compose(M, framing.place_23), cut_23) for M in transforms_T23])
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


def _first_found(windows: Mapping[Fraction, np.ndarray], mask_HW: np.ndarray) -> tuple[Fraction, Registration] | None:
    """The start of the first window, grey [T, H, W], whose frames are found in their own mean, and where they are."""
    for start, grey_THW in windows.items():
        found = register_frames(grey_THW, mask_HW)
        if found.found:
            return start, found
    return None


def _some_windows(
    media: MediaFile, starts: Sequence[Fraction], view: Crop, pixels: int, settings: ClipSettings
) -> dict[Fraction, np.ndarray]:
    """Up to four windows by their starts, uint8 RGB [T, pixels, pixels, 3]; those that lack picture are left out."""
    step = max(1, -(-len(starts) // _WINDOWS))
    some = starts[step // 2 :: step]
    windows = frame_windows(media, some, frame_count=settings.frames, frame_rate=settings.rate, size=pixels, crop=view)
    pairs = zip(some, windows, strict=True)
    return {start: frames_THWC for start, frames_THWC in pairs if not isinstance(frames_THWC, MediaError)}


def _overview(
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


def _pixels(view: Crop, crop: Crop, stored_size: int) -> int:
    return round(view.size * stored_size / crop.size)


def _mask(view: Crop, pixels: int, crop: Crop, sides: float, *, inside: bool) -> np.ndarray:
    """255 where a pixel of the view is within this many sides of the square's centre each way (or outside), else 0."""
    x, y = _centre(view, pixels, crop)
    at = np.arange(pixels)
    distance_HW = np.maximum(np.abs(at - y)[:, None], np.abs(at - x)[None])
    is_near_HW = distance_HW < sides * crop.size * pixels / view.size
    return np.where(is_near_HW == inside, 255, 0).astype(np.uint8)


def _centre(view: Crop, pixels: int, crop: Crop) -> tuple[float, float]:
    """The square's centre in pixels of the view."""
    scale, half = pixels / view.size, crop.size / 2
    return (crop.x + half - view.x) * scale - 0.5, (crop.y + half - view.y) * scale - 0.5


def _cut(view: Crop, pixels: int, crop: Crop, stored_size: int) -> np.ndarray:
    """From stored pixels to pixels of the view."""
    scale = pixels / view.size
    factor = crop.size * scale / stored_size
    x, y = ((at * scale + (factor - 1) / 2) for at in (crop.x - view.x, crop.y - view.y))
    return np.array([[factor, 0.0, x], [0.0, factor, y]], np.float32)


def _offset(one: Crop, other: Crop) -> np.ndarray:
    return np.array([other.x - one.x, other.y - one.y])


def _centred(width: int, height: int) -> Crop:
    size = min(width, height)
    return Crop((width - size) // 2, (height - size) // 2, size)


def _inside(square: Crop, shift: tuple[int, int], size: int, width: int, height: int) -> Crop:
    """A square of `size` at a shifted corner, moved into the frame where it leaves it."""
    x = min(max(square.x + shift[0], 0), width - size)
    y = min(max(square.y + shift[1], 0), height - size)
    return Crop(x, y, size)
