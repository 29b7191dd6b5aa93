"""A scene: sources that are filmed alike, so that one square fits all of them and a mouth stands at one place."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL import Image

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.rgb import Crop, check_inside
from s2v_ray.preparation.stabilise import find_area, register_images
from s2v_ray.storage.files import list_files, read_bytes, remove_file, write_bytes
from s2v_ray.storage.paths import Location, join

# In GRID, details of whole frames of two takes of one speaker in one session, once aligned, correlate by 0.7 to 0.97,
# and those of two speakers by up to 0.71. Around the square it is 0.73 to 0.97, in any sessions, and up to 0.57.
_ALIKE, _SQUARES_ALIKE = 0.72, 0.65
_MOST_SCALE = 1.6  # between two takes
_MOST_PIXELS = 4096  # along a side of its images
_AREA = 1.6  # how much around the square is compared, in its sides


@dataclass(frozen=True)
class Scene:
    """Where the square is in sources that are filmed alike, and what they look like.

    Images are grey, as PNG. `overview` is the whole frame; `reference` is the area `view` around the square, at the
    scale at which the square has its stored size. It is empty where sources of the scene are not stabilised.
    """

    name: str
    width: int  # of upright frames, in square pixels
    height: int
    crop: Crop | None  # None for the largest, centred
    view: Crop | None
    overview: bytes
    reference: bytes = b""


@dataclass(frozen=True)
class Placement:
    """Where a source shows a scene: its point p at `scale` · p + (x, y), in pixels."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    def of(self, square: Crop, width: int, height: int) -> Crop:
        """Where the scene's square lies, moved into frames of `width` × `height` pixels where it leaves them."""
        size = min(round(self.scale * square.size), width, height)
        x = round(self.scale * (square.x + square.size / 2) + self.x - size / 2)
        y = round(self.scale * (square.y + square.size / 2) + self.y - size / 2)
        return Crop(min(max(x, 0), width - size), min(max(y, 0), height - size), size)


def best_scene(
    scenes: Sequence[Scene], overview_HW: np.ndarray, width: int, height: int
) -> tuple[Scene, Placement] | None:
    """The scene that a source belongs to, and where its frames show it; None where it belongs to none.

    `overview_HW` is its median frame, grey, at the height of a scan.
    """
    best, most = None, -1.0
    for scene in scenes:
        if (scene.width, scene.height) == (width, height):
            placement, correlation = _find(scene, overview_HW)
            if placement and correlation > most:
                best, most = (scene, placement), correlation
    return best


def _find(scene: Scene, overview_HW: np.ndarray) -> tuple[Placement | None, float]:
    """Where a source of the scene's size shows it; None where it does not."""
    scene_HW, pixel = unpacked(scene.overview), scene.height / len(overview_HW)
    if scene.crop is None:
        M, correlation = align(scene_HW, overview_HW)
        placement = Placement(float(M[0, 2]) * pixel, float(M[1, 2]) * pixel)
        return (placement if correlation >= _ALIKE else None), correlation
    around = _AREA * scene.crop.size
    left = max(0, round((scene.crop.x + (scene.crop.size - around) / 2) / pixel))
    top = max(0, round((scene.crop.y + (scene.crop.size - around) / 2) / pixel))
    area_HW = np.ascontiguousarray(scene_HW[top:, left:][: round(around / pixel), : round(around / pixel)])
    M, correlation = find_area(area_HW, overview_HW)
    scale = float(np.sqrt(max(0.0, np.linalg.det(M[:, :2]))))
    if correlation < _SQUARES_ALIKE or not 1 / _MOST_SCALE <= scale <= _MOST_SCALE:
        return None, correlation
    middle = (np.array(area_HW.shape[::-1]) - 1) / 2
    there = (M @ [*middle, 1] + 0.5) * pixel
    x, y = there - scale * (middle + 0.5 + [left, top]) * pixel
    return Placement(float(x), float(y), scale), correlation


def is_alike(correlation: float) -> bool:
    """Whether overviews that correlate like this are of one scene."""
    return correlation >= _ALIKE


def align(one_HW: np.ndarray, other_HW: np.ndarray) -> tuple[np.ndarray, float]:
    """The shift from one overview to the other, and the correlation of their details."""
    return register_images(one_HW, other_HW, rotate=False)


def packed(grey_HW: np.ndarray) -> bytes:
    """A grey image as PNG."""
    return bytes(cv2.imencode(".png", grey_HW)[1])


def unpacked(png: bytes) -> np.ndarray:
    """The grey image in a PNG. Raises ValueError if it is none, or larger than any of a scene."""
    try:
        with Image.open(BytesIO(png), formats=["PNG"]) as image:
            if max(image.size) <= _MOST_PIXELS:
                return np.asarray(image.convert("L"))
            raise ValueError(f"an image of {image.width} x {image.height} pixels")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from None


def write_scenes(clips: Location, scenes: Iterable[Scene]) -> None:
    """Make these the content of the data set's folder `_scenes`; what else a run left there that was stopped goes."""
    folder, written = join(clips, "_scenes"), set()
    for scene in scenes:
        values = {key: value for key, value in asdict(scene).items() if not isinstance(value, bytes)}
        files = {f"{scene.name}_overview.png": scene.overview, f"{scene.name}_reference.png": scene.reference}
        files[f"{scene.name}.json"] = json.dumps(values, indent=1).encode()
        for name, content in files.items():
            if content:
                write_bytes(join(folder, name), content)
                written.add(name)
    for name in set(list_files(folder)) - written:
        remove_file(join(folder, name))


def read_scenes(clips: Location) -> list[Scene]:
    """The scenes of a data set, in the order in which they were found.

    Raises UserError `damaged_clips` where a file is not as `write_scenes` made it.
    """
    folder = join(clips, "_scenes")
    names = list_files(folder)
    return [_read_scene(folder, name[: -len(".json")], names) for name in names if name.endswith(".json")]


def _read_scene(folder: Location, name: str, names: Sequence[str]) -> Scene:
    path = join(folder, f"{name}.json")
    try:
        values = json.loads(read_bytes(path))
        images = {
            kind: read_bytes(join(folder, f"{name}_{kind}.png"))
            for kind in ("overview", "reference")
            if f"{name}_{kind}.png" in names
        }
        scene = Scene(**{**values, **{key: _square(values[key]) for key in ("crop", "view")}, **images})
        _check(scene, name)
    except (ValueError, KeyError, TypeError, AttributeError, MediaError) as error:
        raise UserError("damaged_clips", f"'{path}' is damaged ({error!r}); prepare into another folder.") from None
    return scene


def _check(scene: Scene, name: str) -> None:
    """Raise ValueError or MediaError unless the scene's values fit each other."""
    sizes = [scene.width, scene.height]
    for square in (scene.crop, scene.view):
        sizes += [square.size] if square else []
    if scene.name != name or not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError("its name or its sizes are wrong")
    for square in (scene.crop, scene.view):
        if square:
            check_inside(square, scene.width, scene.height)
    height, width = unpacked(scene.overview).shape
    if abs(width * scene.height - height * scene.width) > scene.height:
        raise ValueError(f"its overview has {width} x {height} pixels")
    if bool(scene.reference) != bool(scene.view) or (scene.view and not scene.crop):
        raise ValueError("it needs crop, view and reference, or neither view nor reference")
    if scene.reference and len({*unpacked(scene.reference).shape}) != 1:
        raise ValueError("its reference is not square")


def _square(values: dict[str, Any] | None) -> Crop | None:
    square = None if values is None else Crop(**values)
    if square and not all(type(value) is int for value in (square.x, square.y, square.size)):
        raise TypeError("a square's values are no whole numbers")
    return square
