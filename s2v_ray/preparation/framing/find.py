"""How a source is framed: which square is cut out, and whether that follows the subject, the camera or nothing."""

from collections.abc import Sequence
from fractions import Fraction

from s2v_ray.dataset.settings import AUTO, CAMERA, MOTION, SUBJECT, ClipSettings
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import check_inside
from s2v_ray.preparation.autocrop import find_crop, scan_motion
from s2v_ray.preparation.framing.camera import LEAST_CAMERA_MOTION, following_camera
from s2v_ray.preparation.framing.framing import Framing
from s2v_ray.preparation.framing.samples import overview
from s2v_ray.preparation.framing.subject import following_subject
from s2v_ray.preparation.scene import Placement, Scene, best_scene

# A square up to this much of the shorter side leaves enough around it to follow.
_LARGEST_FOLLOWED = 0.75


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
    crop, scene, placement, moves = settings.fixed_crop(), None, Placement(), None
    if crop is not None:
        check_inside(crop, width, height)  # at once: frames that are stabilised are cut out of a larger area
    overview_HW = overview(media, starts, width, height, settings) if scenes else None
    if overview_HW is not None and (found := best_scene(scenes, overview_HW, width, height)):
        scene, placement = found
        crop = scene.crop and placement.of(scene.crop, width, height)
    elif settings.crop in (AUTO, MOTION) and (scan := scan_motion(media, starts, width, height, settings)):
        crop, moves = find_crop(scan.motion_2HW, width, height, settings), scan.camera_motion
    framing = Framing(crop, scene=scene.name if scene else "")
    if settings.stabilize == SUBJECT or (
        settings.stabilize == AUTO and crop is not None and crop.size <= _LARGEST_FOLLOWED * min(width, height)
    ):
        return following_subject(media, starts, framing, scene, placement, width, height, settings)
    if settings.stabilize == CAMERA or (settings.stabilize == AUTO and (moves is None or moves >= LEAST_CAMERA_MOTION)):
        return following_camera(media, starts, framing, width, height, settings)
    return framing
