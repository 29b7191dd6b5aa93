"""The square that moves, drawn on the picture, and moved there."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from s2v_ray.dataset.settings import AUTO
from s2v_ray.generation.picture import reduced_picture
from s2v_ray.generation.region import Region
from s2v_ray.media.decoding.rgb import Crop

_SHOWN_SIDE = 720  # pixels of the picture that is drawn on
_COLOUR = (255, 107, 26)
_OUTSIDE = 0.45  # of its brightness
_LEAST_SIDE = 8  # pixels of the picture


@dataclass(frozen=True)
class Placed:
    """A picture's square: `small_HWC` is the picture to draw on, `width` and `height` are the picture's own pixels.

    `region` is what to make the video with: "auto" until a user moves the square.
    """

    small_HWC: np.ndarray
    width: int
    height: int
    square: Crop
    region: str
    reason: str

    @property
    def part(self) -> float:
        """The square's side, of the picture's shorter one."""
        return self.square.size / min(self.width, self.height)


def place(picture_HWC: np.ndarray, found: Region) -> Placed:
    """What is shown of a picture, uint8 RGB [H, W, 3], and of the square that was found in it."""
    height, width = picture_HWC.shape[:2]
    why = found.reason.partition("; --region")[0]
    return Placed(reduced_picture(picture_HWC, _SHOWN_SIDE), width, height, found.square, AUTO, why)


def move_to(placed: Placed, x: float, y: float) -> Placed:
    """With the square's middle at (x, y) of the picture that is drawn on, as nearly as it stays inside."""
    scale = placed.width / placed.small_HWC.shape[1]
    return _with_square(placed, x * scale, y * scale, placed.square.size)


def resize_to(placed: Placed, part: float) -> Placed:
    """With a square whose side is `part`, 0 to 1, of the picture's shorter one, around the same middle."""
    size = round(part * min(placed.width, placed.height))
    if size == placed.square.size:
        return placed
    square = placed.square
    return _with_square(placed, square.x + square.size / 2, square.y + square.size / 2, size)


def draw(placed: Placed) -> np.ndarray:
    """The picture with the square on it, uint8 RGB [H, W, 3]; what is outside is darker."""
    scale = placed.small_HWC.shape[1] / placed.width
    height, width = placed.small_HWC.shape[:2]
    left, top = round(placed.square.x * scale), round(placed.square.y * scale)
    side = max(1, round(placed.square.size * scale))
    right, bottom = min(left + side, width), min(top + side, height)
    drawn_HWC = (placed.small_HWC * _OUTSIDE).astype(np.uint8)
    drawn_HWC[top:bottom, left:right] = placed.small_HWC[top:bottom, left:right]
    thick = max(2, min(height, width) // 150)
    cv2.rectangle(drawn_HWC, (left, top), (right - 1, bottom - 1), _COLOUR, thick)
    return drawn_HWC


def _with_square(placed: Placed, middle_x: float, middle_y: float, size: int) -> Placed:
    size = max(min(_LEAST_SIDE, placed.width, placed.height), min(size, placed.width, placed.height))
    x, y = (
        round(min(max(0.0, middle - size / 2), most - size))
        for middle, most in ((middle_x, placed.width), (middle_y, placed.height))
    )
    return replace(placed, square=Crop(x, y, size), region=f"{x},{y},{size}", reason="as you placed it")
