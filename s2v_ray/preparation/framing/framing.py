"""What is decided about a source: where in its frames the stored square is, and what that follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from s2v_ray.dataset.settings import OFF
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.preparation.framing.areas import centred
from s2v_ray.preparation.stabilise import IDENTITY, Registration


@dataclass(frozen=True)
class Framing:
    """How a source's frames are cropped and stabilised.

    Where `mode` is off, that is all: `crop` (None: the largest square, centred) of each. Otherwise the area `view` is
    scaled to `view_pixels`, and each frame found in it: against `reference_HW` where the subject is followed, and
    against the window's own frames where the camera is. `placement_23` maps the scene's reference to `reference_HW`,
    and `cut_23` stored pixels to the scene's reference.
    """

    crop: Crop | None
    mode: str = OFF
    scene: str = ""
    shift_pixels: float = 0.0  # root mean square of what frames of the source move by, in stored pixels
    view: Crop | None = None
    view_pixels: int = 0
    reference_HW: np.ndarray | None = None
    placement_23: np.ndarray = field(default_factory=lambda: IDENTITY)
    cut_23: np.ndarray | None = None
    found: Mapping[Fraction, Registration] = field(default_factory=dict)  # of windows examined before, by their starts


def in_words(framing: Framing) -> str:
    """What is done about motion of the subject or the camera, and how much there was."""
    scene = f", as in {framing.scene.replace('_', ' ')}" if framing.scene else ""
    if framing.mode == OFF:
        return f"not stabilised{scene}"
    return f"follows the {framing.mode}, which moved by {framing.shift_pixels:.1f} stored pixels (rms){scene}"


def square_of(framing: Framing, width: int, height: int) -> tuple[int, int, int]:
    """x, y and size of the square in upright frames of `width` × `height` pixels."""
    crop = framing.crop or centred(width, height)
    return crop.x, crop.y, crop.size
