"""A scene: sources that are filmed alike, so that one square fits all of them and a mouth stands at one place."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.preparation.stabilise import register_images
from s2v_ray.storage.files import list_files, read_bytes, write_bytes
from s2v_ray.storage.paths import Location, join

# Details of two takes of one speaker correlate by 0.76 to 0.97 once their heads are aligned, those of two speakers
# before the same wall by up to 0.68 (GRID).
_ALIKE = 0.72


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


def best_scene(
    scenes: Sequence[Scene], overview_HW: np.ndarray, width: int, height: int
) -> tuple[Scene, tuple[int, int]] | None:
    """The scene that a source belongs to, and how far its frames show the scene further right and down, in pixels.

    None where it belongs to none. `overview_HW` is its median frame, grey, of any size.
    """
    best, most = None, _ALIKE
    for scene in scenes:
        if (scene.width, scene.height) == (width, height):
            M, correlation = align(unpacked(scene.overview), overview_HW)
            if correlation >= most:
                x, y = (round(float(shift) * height / len(overview_HW)) for shift in M[:, 2])
                best, most = (scene, (x, y)), correlation
    return best


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
    """The grey image in a PNG."""
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE))


def write_scenes(clips: Location, scenes: Iterable[Scene]) -> None:
    """Write those that are not there yet to the data set's folder `_scenes`."""
    folder = join(clips, "_scenes")
    there = set(list_files(folder))
    for scene in scenes:
        if f"{scene.name}.json" not in there:
            write_bytes(join(folder, f"{scene.name}_overview.png"), scene.overview)
            if scene.reference:
                write_bytes(join(folder, f"{scene.name}_reference.png"), scene.reference)
            values = {key: value for key, value in asdict(scene).items() if not isinstance(value, bytes)}
            write_bytes(join(folder, f"{scene.name}.json"), json.dumps(values, indent=1).encode())


def read_scenes(clips: Location) -> list[Scene]:
    """The scenes of a data set, in the order in which they were found."""
    folder = join(clips, "_scenes")
    names = list_files(folder)
    scenes = []
    for name in sorted(name[: -len(".json")] for name in names if name.endswith(".json")):
        values = json.loads(read_bytes(join(folder, f"{name}.json")))
        images = {
            kind: read_bytes(join(folder, f"{name}_{kind}.png"))
            for kind in ("overview", "reference")
            if f"{name}_{kind}.png" in names
        }
        squares = {key: _square(values[key]) for key in ("crop", "view")}
        scenes.append(Scene(**{**values, **squares, **images}))
    return scenes


def _square(values: dict[str, Any] | None) -> Crop | None:
    return None if values is None else Crop(**values)
