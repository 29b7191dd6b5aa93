"""Sway of the person in the image, and shake of the camera that films it."""

import math
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from s2v_ray.synthetic.nuisance.wander import wander
from s2v_ray.synthetic.paint import pixel_centres

# The person is what lies around the middle, since scenes don't come in layers: all within the inner radius moves as a
# whole, nothing moves beyond the outer one, and between the two the image is stretched. In sides of the image.
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
    return 1 / (1 - 2 * 3 * (sides + math.radians(degrees) / 2))


def moved(image_HWC: np.ndarray, sway: Movement, shake: Movement, frame: int, zoom: float) -> np.ndarray:
    """A square image, float32 [size, size, 3], as frame number `frame` of a camera that shakes shows it.

    Both movements are undone in one resampling (bicubic), so that the image loses little sharpness.
    """
    size = len(image_HWC)
    points_3P, person_P = _points(size)
    camera = _undone(shake, frame, zoom)
    person = _undone(sway, frame) @ camera - camera
    source_2P = (camera @ points_3P + (person @ points_3P) * person_P)[:2]
    column_HW, row_HW = ((source_2P + np.float32(0.5)) * np.float32(size) - np.float32(0.5)).reshape(2, size, size)
    return np.asarray(cv2.remap(image_HWC, column_HW, row_HW, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))


@cache
def _points(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels' centres from the image's middle as (x, y, 1), [3, P], and how much they move with a person, [P]."""
    down, across = (centres - np.float32(0.5) for centres in pixel_centres(size))
    share = np.clip((_OUTER_RADIUS - np.hypot(down, across)) / (_OUTER_RADIUS - _INNER_RADIUS), 0, 1)
    ones = np.ones((size, size), np.float32)
    points = np.stack([across * ones, down * ones, ones]).reshape(3, -1)
    return points, (share * share * (3 - 2 * share)).ravel()


def _undone(movement: Movement, frame: int, zoom: float = 1.0) -> np.ndarray:
    """The matrix, float32 [3, 3], that takes a point (x, y, 1) of the moved image to where it was before."""
    cos, sin = np.cos(movement.turn[frame]), np.sin(movement.turn[frame])
    turn_and_zoom_back = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, zoom]], np.float32) / np.float32(zoom)
    shift_back = np.array([[1, 0, -movement.right[frame]], [0, 1, -movement.down[frame]], [0, 0, 1]], np.float32)
    return np.asarray(turn_and_zoom_back @ shift_back)


def _movement(
    rng: np.random.Generator, seconds_T: np.ndarray, sides: float, degrees: float, hertz: tuple[float, float]
) -> Movement:
    right_T, down_T, turn_T = (wander(rng, seconds_T, *hertz).astype(np.float32) for _ in range(3))
    return Movement(sides * right_T, sides * down_T, math.radians(degrees) * turn_T)
