"""Sway of the person in the image, and shake of the camera that films it."""

from typing import NamedTuple

import cv2
import numpy as np

from s2v_ray.synthetic.nuisance.wander import wander
from s2v_ray.synthetic.paint import pixel_centres

# A person moves as a whole within the inner radius and not at all beyond the outer one, in sides from the middle; between
# the two the image is stretched, as a neck and a shirt are.
_INNER_RADIUS, _OUTER_RADIUS = 0.3, 0.5
_SWAY_HERTZ = (0.1, 0.8)
_SHAKE_HERTZ = (0.25, 3.0)


class Movement(NamedTuple):
    """Where the person or the frame is moved to over time: each [T], in sides of the image and radians."""

    right: np.ndarray
    down: np.ndarray
    turn: np.ndarray  # clockwise, around the image's middle


def sway(rng: np.random.Generator, seconds_T: np.ndarray, sides: float, degrees: float) -> Movement:
    """How a person sways who tries to stand still; `sides` and `degrees` are RMS."""
    return _movement(rng, seconds_T, sides, degrees, _SWAY_HERTZ)


def shake(rng: np.random.Generator, seconds_T: np.ndarray, sides: float, degrees: float) -> Movement:
    """How the frame of a hand-held camera moves; `sides` and `degrees` are RMS."""
    return _movement(rng, seconds_T, sides, degrees, _SHAKE_HERTZ)


def zoom_for(sides: float, degrees: float) -> float:
    """The zoom around the middle that keeps the image's border out of sight in a shake of up to 3 times these RMS."""
    return 1 / (1 - 2 * 3 * (sides + np.radians(degrees) / 2))


def moved(image_HWC: np.ndarray, sway: Movement, shake: Movement, frame: int, zoom: float) -> np.ndarray:
    """A square image, float32 [size, size, C], as frame number `frame` of a camera that shakes shows it.

    Both movements are undone in one resampling (bicubic), so that the image loses little sharpness.
    """
    size = len(image_HWC)
    down, across = (centres - 0.5 for centres in pixel_centres(size))
    y, x = (down - shake.down[frame]) / zoom, (across - shake.right[frame]) / zoom
    x, y = _turned(x, y, -shake.turn[frame])
    share = np.clip((_OUTER_RADIUS - np.hypot(x, y)) / (_OUTER_RADIUS - _INNER_RADIUS), 0, 1)
    share = share * share * (3 - 2 * share)
    still_x, still_y = _turned(x - sway.right[frame], y - sway.down[frame], -sway.turn[frame])
    x, y = x + share * (still_x - x), y + share * (still_y - y)
    x, y = ((side + 0.5) * size - 0.5 for side in (x, y))
    maps = (x.astype(np.float32), y.astype(np.float32))
    return np.asarray(cv2.remap(image_HWC, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))


def _turned(x: np.ndarray, y: np.ndarray, radians: float) -> tuple[np.ndarray, np.ndarray]:
    """Points turned clockwise around (0, 0); y points down."""
    cos, sin = np.float32(np.cos(radians)), np.float32(np.sin(radians))
    return x * cos - y * sin, x * sin + y * cos


def _movement(
    rng: np.random.Generator, seconds_T: np.ndarray, sides: float, degrees: float, hertz: tuple[float, float]
) -> Movement:
    right_T, down_T, turn_T = (wander(rng, seconds_T, *hertz) for _ in range(3))
    scales = (sides, sides, np.radians(degrees))
    return Movement(*(np.float32(scale * path_T) for scale, path_T in zip(scales, (right_T, down_T, turn_T), strict=True)))
