"""A decoded frame as an RGB array, upright and scaled: a square cut out of it, or the whole."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.filter.graph import Graph
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from s2v_ray.errors import MediaError

# swscale's bicubic kernel widens with the reduction, so that it antialiases.
_SCALING = "bicubic+accurate_rnd+full_chroma_int"


def displayed_size(frame: VideoFrame, sample_aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) in square pixels as a player shows `frame`: sample aspect ratio and rotation applied."""
    width, height = round(frame.width * (sample_aspect or 1)), frame.height
    matrix = _display_matrix(frame)
    return (height, width) if matrix is not None and _swaps_axes(matrix) else (width, height)


@dataclass(frozen=True)
class Crop:
    """A square of `size` pixels whose upper left corner is (x, y), in square pixels of the upright picture."""

    x: int
    y: int
    size: int


class SquareScaler:
    """Turns frames of one stream into square RGB arrays, uint8 [size, size, 3], cut out and scaled in one pass.

    `sample_aspect` is a pixel's width over its height (None or 0: unknown, taken as 1). `crop` is by default the
    largest square in the centre. The matrix and the range of the colours are those that the frame names.
    """

    def __init__(self, size: int, sample_aspect: Fraction | None, crop: Crop | None = None) -> None:
        self._size, self._sample_aspect, self._crop = size, sample_aspect or Fraction(1), crop
        self._graph: Graph | None = None
        self._kind: tuple[Any, ...] = ()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """The square of `frame`, upright.

        Raises MediaError `crop_outside` where the crop leaves the picture, and `undecodable_video` for a pixel format
        that can't be converted.
        """
        matrix = _display_matrix(frame)
        turn = None if matrix is None else tuple(matrix.flat)
        kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, turn)
        try:
            if self._graph is None or kind != self._kind:
                self._graph, self._kind = self._make_graph(frame, matrix), kind
            self._graph.push(frame)
            square_HWC = cast(VideoFrame, self._graph.pull()).to_ndarray()
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(
                "undecodable_video", f"Frames of {frame.format.name} can't be made RGB ({error})."
            ) from None
        return np.ascontiguousarray(_upright(square_HWC, matrix))

    def _make_graph(self, frame: VideoFrame, matrix: np.ndarray | None) -> Graph:
        x, y, width, height = self._coded_area(frame, matrix)
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
        )
        graph.link_nodes(
            source,
            graph.add("crop", f"{width}:{height}:{x}:{y}:exact=1"),
            graph.add("scale", f"{self._size}:{self._size}:flags={_SCALING}:out_range=full"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ).configure()
        return graph

    def _coded_area(self, frame: VideoFrame, matrix: np.ndarray | None) -> tuple[int, int, int, int]:
        """(x, y, width, height) of the crop in the frame's own pixels."""
        upright_width, upright_height = displayed_size(frame, self._sample_aspect)
        side = min(upright_width, upright_height)
        crop = self._crop or Crop((upright_width - side) // 2, (upright_height - side) // 2, side)
        if min(crop.x, crop.y) < 0 or crop.x + crop.size > upright_width or crop.y + crop.size > upright_height:
            raise MediaError(
                "crop_outside",
                f"A crop of {crop.size} x {crop.size} at ({crop.x}, {crop.y}) leaves the picture of "
                f"{upright_width} x {upright_height}; use one that lies inside with --crop.",
            )
        x, y = crop.x, crop.y
        if matrix is not None:
            flip_x, flip_y = _flips(matrix)
            x, y = upright_width - x - crop.size if flip_x else x, upright_height - y - crop.size if flip_y else y
            x, y = (y, x) if _swaps_axes(matrix) else (x, y)
        # Rounding the pixels' shape must not push the square over the edge.
        width = min(max(1, round(crop.size / self._sample_aspect)), frame.width)
        height = min(crop.size, frame.height)
        return min(round(x / self._sample_aspect), frame.width - width), min(y, frame.height - height), width, height


def whole_frame(
    frame: VideoFrame, height: int, sample_aspect: Fraction | None, reformatter: VideoReformatter
) -> np.ndarray:
    """`frame` as a player shows it, uncropped, scaled to uint8 RGB [height, W, 3].

    Raises MediaError `undecodable_video` for a pixel format that can't be converted.
    """
    upright_width, upright_height = displayed_size(frame, sample_aspect)
    width = max(1, round(upright_width * height / upright_height))
    matrix = _display_matrix(frame)
    turned = matrix is not None and _swaps_axes(matrix)
    try:
        rgb = reformatter.reformat(
            frame,
            width=height if turned else width,
            height=width if turned else height,
            format="rgb24",
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.BICUBIC,  # it antialiases as it reduces
            threads=1,
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError("undecodable_video", f"Frames of {frame.format.name} can't be made RGB ({error}).") from None
    return np.ascontiguousarray(_upright(rgb.to_ndarray(), matrix))


def _display_matrix(frame: VideoFrame) -> np.ndarray | None:
    """The upper left 2 x 2 of the display matrix [[a, b], [c, d]]: (x, y) is displayed at (ax + cy, bx + dy)."""
    # Not `frame.side_data`: the frame would keep it and it the frame, so that neither is freed before a collection.
    data: Any = cast(Any, SideDataContainer)(frame).get(Type.DISPLAYMATRIX)  # PyAV's stub lacks its arguments
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]


def _swaps_axes(matrix: np.ndarray) -> bool:
    return abs(int(matrix[0, 1])) > abs(int(matrix[0, 0]))


def _flips(matrix: np.ndarray) -> tuple[bool, bool]:
    """Whether x and y of the upright picture run backwards, after any swap of its axes."""
    (a, b), (c, d) = matrix.tolist()
    return (c < 0, b < 0) if _swaps_axes(matrix) else (a < 0, d < 0)


def _upright(frame_HWC: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """`frame_HWC` turned and reflected by the quarter turns nearest to `matrix`."""
    if matrix is None:
        return frame_HWC
    flip_x, flip_y = _flips(matrix)
    if _swaps_axes(matrix):
        frame_HWC = frame_HWC.transpose(1, 0, 2)
    return frame_HWC[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
