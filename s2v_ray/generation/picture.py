"""A picture at the size that its video gets, and the square of it that a model sees."""

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from s2v_ray.errors import UserError
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.training.data.pixels import to_float

_LEAST_SIDE = 2


class Box(NamedTuple):
    """The pixels from (left, top) up to (right, bottom), which are outside."""

    left: int
    top: int
    right: int
    bottom: int


def output_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """(width, height) of the video of a picture: even, never larger, the longer side at most `max_side`.

    Raises UserError `image_too_small` for a picture that has no even size.
    """
    if min(width, height) < _LEAST_SIDE:
        problem = f"The image has {width} x {height} pixels, but a video needs at least {_LEAST_SIDE} each way"
        raise UserError("image_too_small", f"{problem}; choose a larger one.")
    longer = max(width, height)
    most = min(longer, max_side)
    new_width, new_height = (max(_LEAST_SIDE, side * most // longer // 2 * 2) for side in (width, height))
    return new_width, new_height


def reduced_picture(picture_HWC: np.ndarray, max_side: int) -> np.ndarray:
    """A picture, uint8 [H, W, 3], at its `output_size`; unless it is reduced, its pixels stay as they are.

    Then the last column or row of an odd size is left out.
    """
    height, width = picture_HWC.shape[:2]
    new_width, new_height = output_size(width, height, max_side)
    if max(width, height) <= max_side:
        return np.ascontiguousarray(picture_HWC[:new_height, :new_width])
    picture = Image.fromarray(picture_HWC)
    return np.asarray(picture.resize((new_width, new_height), Image.Resampling.LANCZOS))


def box_in(square: Crop, picture_HWC: np.ndarray, reduced_HWC: np.ndarray) -> Box:
    """The square of a picture as whole pixels of its reduced one."""
    scale_x, scale_y = _scales(picture_HWC, reduced_HWC)
    height, width = reduced_HWC.shape[:2]
    left, top = min(round(square.x * scale_x), width - 1), min(round(square.y * scale_y), height - 1)
    right, bottom = round((square.x + square.size) * scale_x), round((square.y + square.size) * scale_y)
    return Box(left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height))


def model_image(picture_HWC: np.ndarray, reduced_HWC: np.ndarray, box: Box, resolution: int) -> Tensor:
    """What the model sees: the box of the reduced picture, taken from the picture itself, [3, R, R] in [-1, 1]."""
    scale_x, scale_y = _scales(picture_HWC, reduced_HWC)
    area = (box.left / scale_x, box.top / scale_y, box.right / scale_x, box.bottom / scale_y)
    size = (resolution, resolution)
    square = Image.fromarray(picture_HWC).resize(size, Image.Resampling.BICUBIC, box=area)
    return to_float(torch.from_numpy(np.array(square)))


def _scales(picture_HWC: np.ndarray, reduced_HWC: np.ndarray) -> tuple[float, float]:
    """By how much the width and the height were reduced; leaving a column or a row out reduces nothing."""
    (height, width), (new_height, new_width) = picture_HWC.shape[:2], reduced_HWC.shape[:2]
    was_cropped = new_width == width // 2 * 2 and new_height == height // 2 * 2
    return (1.0, 1.0) if was_cropped else (new_width / width, new_height / height)
