"""How a decoded frame is to be turned and mirrored so that it is upright."""

from fractions import Fraction
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple, cast

import av
import numpy as np
from av.filter.graph import Graph
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

# FFmpeg's kinds of side data are numbered from 0; there are about 32.
_KINDS = range(64)
_LOCK = Lock()  # of the graphs, which all threads share


class Turn(NamedTuple):
    """How a coded frame becomes upright, in quarter turns: by swapping its axes, then flipping x and y."""

    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False


def turn_of(frame: VideoFrame) -> Turn:
    """The turn that the frame's display matrix asks for, to the nearest quarter."""
    matrix = _display_matrix(frame)
    if matrix is None:
        return Turn()
    # The upper left 2 x 2 of the display matrix: (x, y) is displayed at (ax + cy, bx + dy).
    (a, b), (c, d) = matrix[:2, :2].tolist()
    return Turn(True, c < 0, b < 0) if abs(b) > abs(a) else Turn(False, a < 0, d < 0)


def upright(frame_HWC: np.ndarray, turn: Turn) -> np.ndarray:
    """The pixels of a coded frame [H, W, C] as they are displayed; H and W are swapped by a quarter turn."""
    if turn.swap:
        frame_HWC = frame_HWC.transpose(1, 0, 2)
    return np.ascontiguousarray(frame_HWC[:: -1 if turn.flip_y else 1, :: -1 if turn.flip_x else 1])


def _display_matrix(frame: VideoFrame) -> np.ndarray | None:
    # PyAV reads all of a frame's side data or none. It frees the names of colour profiles twice, which ends the
    # process, and it doesn't know each kind. So FFmpeg takes the others out before.
    with _LOCK:
        graph = _matrix_graph(frame.width, frame.height, frame.format.name)
        graph.push(frame)
        try:
            matrix_only = graph.pull()
        except av.error.BlockingIOError:  # it has no display matrix
            return None
    # Not `frame.side_data`: the frame would keep it and it the frame, so that neither is freed before a collection.
    container: Any = cast(Any, SideDataContainer)(matrix_only)  # PyAV's stub lacks its arguments
    return np.frombuffer(bytes(container[Type.DISPLAYMATRIX]), np.int32).reshape(3, 3)


@lru_cache(maxsize=16)
def _matrix_graph(width: int, height: int, pixel_format: str) -> Graph:
    """What lets frames with a display matrix through, and takes all other side data from them."""
    matrix = int(cast(Any, Type.DISPLAYMATRIX).value)
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(width=width, height=height, format=VideoFormat(pixel_format), time_base=Fraction(1, 1000)),
        graph.add("sidedata", f"mode=select:type={matrix}"),
        *(graph.add("sidedata", f"mode=delete:type={kind}") for kind in _KINDS if kind != matrix),
        graph.add("buffersink"),
    ).configure()
    return graph
