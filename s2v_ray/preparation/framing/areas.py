"""Squares in a source's frames, and the views around them: where one lies in the other, in pixels."""

import numpy as np

from s2v_ray.media.decoding.rgb import Crop

# What the sound moves lies within this of the square's centre, in sides each way, and is left out.
MOVED_BY_SOUND = 0.32
# A subject is followed by what lies around its square: this much of frames, in sides of the square.
_VIEW = 2.2


def centred(width: int, height: int) -> Crop:
    """The largest square in the middle of upright frames."""
    size = min(width, height)
    return Crop((width - size) // 2, (height - size) // 2, size)


def moved_inside(square: Crop, shift: tuple[int, int], size: int, width: int, height: int) -> Crop:
    """A square of `size` at a shifted corner, moved into the frame where it leaves it."""
    x = min(max(square.x + shift[0], 0), width - size)
    y = min(max(square.y + shift[1], 0), height - size)
    return Crop(x, y, size)


def view_of(crop: Crop, width: int, height: int, stored_size: int) -> tuple[Crop, int]:
    """The area around a square, inside the frames, and the pixels it has where the square has `stored_size`."""
    size = min(round(_VIEW * crop.size), width, height)
    margin = (crop.size - size) // 2
    view = moved_inside(crop, (margin, margin), size, width, height)
    return view, pixels_of(view, crop, stored_size)


def pixels_of(view: Crop, crop: Crop, stored_size: int) -> int:
    """The side of the view, scaled so that the square has its stored size."""
    return round(view.size * stored_size / crop.size)


def mask_of(view: Crop, pixels: int, crop: Crop, sides: float, *, inside: bool) -> np.ndarray:
    """255 where a pixel of the view is within this many sides of the square's centre each way (or outside), else 0."""
    x, y = centre_of(view, pixels, crop)
    at = np.arange(pixels)
    distance_HW = np.maximum(np.abs(at - y)[:, None], np.abs(at - x)[None])
    is_near_HW = distance_HW < sides * crop.size * pixels / view.size
    return np.where(is_near_HW == inside, 255, 0).astype(np.uint8)


def centre_of(view: Crop, pixels: int, crop: Crop) -> tuple[float, float]:
    """The square's centre in pixels of the view."""
    scale, half = pixels / view.size, crop.size / 2
    return (crop.x + half - view.x) * scale - 0.5, (crop.y + half - view.y) * scale - 0.5


def cut_of(view: Crop, pixels: int, crop: Crop, stored_size: int) -> np.ndarray:
    """From stored pixels to pixels of the view."""
    scale = pixels / view.size
    factor = crop.size * scale / stored_size
    x, y = ((at * scale + (factor - 1) / 2) for at in (crop.x - view.x, crop.y - view.y))
    return np.array([[factor, 0.0, x], [0.0, factor, y]], np.float32)


def offset_between(one: Crop, other: Crop) -> np.ndarray:
    """(x, y), in the source's pixels, from one's corner to the other's."""
    return np.array([other.x - one.x, other.y - one.y])
