"""A decoded video frame as a square RGB picture: upright, cropped from the centre, scaled."""

from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from s2v_ray.config.errors import MediaError

# swscale's bicubic kernel widens with the reduction, so that it antialiases.
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def displayed_size(frame: VideoFrame, sample_aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) in square pixels as a player shows `frame`: sample aspect ratio and rotation applied."""
    width, height = round(frame.width * (sample_aspect or 1)), frame.height
    matrix = _display_matrix(frame)
    return (height, width) if matrix is not None and _swaps_axes(matrix) else (width, height)


def square_picture(
    frame: VideoFrame, size: int, sample_aspect: Fraction | None, reformatter: VideoReformatter
) -> np.ndarray:
    """`frame` as a player shows it, its central square scaled to uint8 RGB [size, size, 3].

    `sample_aspect` is a pixel's width over its height (None or 0: unknown, taken as 1). The matrix and the range of
    the colours are those that the frame names. One `reformatter` should serve all the frames of a stream.

    Raises MediaError `undecodable_video` for a pixel format that can't be converted.
    """
    # Scaling the whole frame and cropping after is simpler than cropping each pixel format's planes. What is cut off
    # is the same number of whole pixels on both sides, so that the square stays in the centre.
    width, height = frame.width * (sample_aspect or Fraction(1)), Fraction(frame.height)
    scale = size / min(width, height)
    left, top = round((width * scale - size) / 2), round((height * scale - size) / 2)
    try:
        rgb = reformatter.reformat(
            frame,
            width=size + 2 * left,
            height=size + 2 * top,
            format="rgb24",
            dst_color_range=ColorRange.JPEG,
            interpolation=_SCALING,
            threads=1,
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError("undecodable_video", f"Frames of {frame.format.name} can't be made RGB ({error}).") from None
    square_HWC = rgb.to_ndarray()[top : top + size, left : left + size]
    return np.ascontiguousarray(_upright(square_HWC, _display_matrix(frame)))


def _display_matrix(frame: VideoFrame) -> np.ndarray | None:
    """The upper left 2 x 2 of the display matrix [[a, b], [c, d]]: (x, y) is shown at (ax + cy, bx + dy)."""
    data: Any = cast(Any, frame.side_data).get(Type.DISPLAYMATRIX)  # PyAV's stub names a narrower type
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]


def _swaps_axes(matrix: np.ndarray) -> bool:
    return abs(int(matrix[0, 1])) > abs(int(matrix[0, 0]))


def _upright(picture_HWC: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """`picture_HWC` turned and reflected by the quarter turns nearest to `matrix`."""
    if matrix is None:
        return picture_HWC
    (a, b), (c, d) = matrix.tolist()
    if _swaps_axes(matrix):
        picture_HWC, flip_x, flip_y = picture_HWC.transpose(1, 0, 2), c < 0, b < 0
    else:
        flip_x, flip_y = a < 0, d < 0
    return picture_HWC[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
