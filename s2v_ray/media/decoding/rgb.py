"""A decoded frame as an RGB array, upright and scaled: a square cut out of it, or the whole."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.filter.graph import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.turn import Turn, turn_of, upright
from s2v_ray.media.decoding.wide_colour import is_wide, to_srgb

# swscale's bicubic kernel widens with the reduction, so that it antialiases.
_SCALING = "bicubic+accurate_rnd+full_chroma_int"


def displayed_size(frame: VideoFrame, sample_aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) in square pixels as a player shows `frame`: sample aspect ratio and rotation applied."""
    width, height = round(frame.width * (sample_aspect or 1)), frame.height
    return (height, width) if turn_of(frame).swap else (width, height)


@dataclass(frozen=True)
class Crop:
    """A square of `size` pixels whose upper left corner is (x, y), in square pixels of the upright picture."""

    x: int
    y: int
    size: int


def check_inside(crop: Crop, width: int, height: int) -> None:
    """Raise MediaError `crop_outside` if the crop leaves an upright picture of `width` × `height` pixels."""
    if min(crop.x, crop.y) < 0 or crop.x + crop.size > width or crop.y + crop.size > height:
        raise MediaError(
            "crop_outside",
            f"A crop of {crop.size} x {crop.size} at ({crop.x}, {crop.y}) leaves the picture of "
            f"{width} x {height}; use one that lies inside with --crop.",
        )


class SquareScaler:
    """Turns frames of one stream into square RGB arrays, uint8 [size, size, 3], cut out and scaled in one pass.

    `sample_aspect` is a pixel's width over its height (None or 0: unknown, taken as 1). `crop` is by default the
    largest square in the centre. Matrix and range of the colours are those that the frame names; high dynamic range
    and wide primaries become sRGB.
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
        turn = turn_of(frame)
        kind = (
            frame.width,
            frame.height,
            frame.format.name,
            frame.colorspace,
            frame.color_range,
            turn,
            _is_wide(frame),
        )
        try:
            if self._graph is None or kind != self._kind:
                self._graph, self._kind = self._make_graph(frame, turn), kind
            self._graph.push(frame)
            square_HWC = _srgb_array(cast(VideoFrame, self._graph.pull()), frame)
        except (av.error.FFmpegError, ValueError) as error:
            raise _not_rgb(frame, error) from None
        return upright(square_HWC, turn)

    def _make_graph(self, frame: VideoFrame, turn: Turn) -> Graph:
        x, y, width, height = self._coded_area(frame, turn)
        return _rgb_graph(frame, f"{width}:{height}:{x}:{y}:exact=1", self._size, self._size)

    def _coded_area(self, frame: VideoFrame, turn: Turn) -> tuple[int, int, int, int]:
        """(x, y, width, height) of the crop in the frame's own pixels."""
        upright_width, upright_height = displayed_size(frame, self._sample_aspect)
        side = min(upright_width, upright_height)
        crop = self._crop or Crop((upright_width - side) // 2, (upright_height - side) // 2, side)
        check_inside(crop, upright_width, upright_height)
        x = upright_width - crop.x - crop.size if turn.flip_x else crop.x
        y = upright_height - crop.y - crop.size if turn.flip_y else crop.y
        x, y = (y, x) if turn.swap else (x, y)
        # Rounding the pixels' shape must not push the square over the edge.
        width = min(max(1, round(crop.size / self._sample_aspect)), frame.width)
        height = min(crop.size, frame.height)
        return min(round(x / self._sample_aspect), frame.width - width), min(y, frame.height - height), width, height


def whole_picture(frame: VideoFrame, sample_aspect: Fraction | None) -> np.ndarray:
    """`frame` as a player shows it, uncropped, at its displayed size: uint8 RGB [H, W, 3].

    Raises MediaError `undecodable_video` for a pixel format that can't be converted.
    """
    turn = turn_of(frame)
    width, height = displayed_size(frame, sample_aspect)
    width, height = (height, width) if turn.swap else (width, height)
    try:
        graph = _rgb_graph(frame, f"{frame.width}:{frame.height}:0:0:exact=1", width, height)
        graph.push(frame)
        picture_HWC = _srgb_array(cast(VideoFrame, graph.pull()), frame)
    except (av.error.FFmpegError, ValueError) as error:
        raise _not_rgb(frame, error) from None
    return upright(picture_HWC, turn)


def _is_wide(frame: VideoFrame) -> bool:
    return is_wide(int(frame.color_primaries), int(frame.color_trc))


def _rgb_format(frame: VideoFrame) -> str:
    return "rgb48le" if _is_wide(frame) else "rgb24"


def _srgb_array(rgb: VideoFrame, frame: VideoFrame) -> np.ndarray:
    """The pixels of `rgb`, made from `frame`, as sRGB uint8 [H, W, 3]."""
    pixels_HWC = rgb.to_ndarray()
    if not _is_wide(frame):
        return pixels_HWC
    return to_srgb(pixels_HWC, int(frame.color_primaries), int(frame.color_trc))


def _rgb_graph(frame: VideoFrame, area: str, width: int, height: int) -> Graph:
    """What cuts `area` out of frames like this one, and scales it to RGB of `width` × `height` pixels."""
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
    graph.link_nodes(
        source,
        graph.add("crop", area),
        graph.add("scale", f"{width}:{height}:flags={_SCALING}:out_range=full"),
        graph.add("format", _rgb_format(frame)),
        graph.add("buffersink"),
    ).configure()
    return graph


def scaled_width(width: int, height: int, new_height: int) -> int:
    """The width of pictures of `width` × `height` pixels once they are scaled to another height."""
    return max(1, round(width * new_height / height))


def whole_frame(
    frame: VideoFrame,
    height: int,
    sample_aspect: Fraction | None,
    reformatter: VideoReformatter,
    width: int | None = None,
) -> np.ndarray:
    """`frame` as a player shows it, uncropped, scaled to uint8 RGB [height, W, 3].

    W is by default what keeps its shape. Give it for frames to be stacked: a video may change its size on the way.
    Raises MediaError `undecodable_video` for a pixel format that can't be converted.
    """
    width = width or scaled_width(*displayed_size(frame, sample_aspect), height)
    turn = turn_of(frame)
    try:
        rgb = reformatter.reformat(
            frame,
            width=height if turn.swap else width,
            height=width if turn.swap else height,
            format=_rgb_format(frame),
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.BICUBIC,  # it antialiases as it reduces
            threads=1,
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise _not_rgb(frame, error) from None
    return upright(_srgb_array(rgb, frame), turn)


def _not_rgb(frame: VideoFrame, error: Exception) -> MediaError:
    problem = f"Frames of {frame.format.name} can't be made RGB ({error})"
    return MediaError("undecodable_video", f"{problem}; convert the video with another program.")
