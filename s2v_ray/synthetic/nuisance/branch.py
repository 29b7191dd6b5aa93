"""A branch in an upper corner of the image that sways in the wind: motion that has nothing to do with the sound."""

import cv2
import numpy as np

from s2v_ray.synthetic.paint import coverage, lay_over, pixel_centres, rgb, shade

_LENGTH = 0.3  # in sides of the image
_EXTENT = 0.45  # of the corner that a branch with its leaves reaches into
_LEAVES = 13
# The branch is painted with this much around its root, in sides, since some of that turns into sight.
_MARGIN = 0.3


def branch(rng: np.random.Generator, size: int, light: float) -> np.ndarray:
    """A branch that points right and down from its root, and its coverage: float32 [size, size, 4] in [0, 1].

    The colours are multiplied by the coverage, and as light as `light`, in [0, 1]. The root is `_MARGIN` from the
    top and from the left.
    """
    colour = rgb(rng.uniform(0.1, 0.4), rng.uniform(0.3, 0.7), rng.uniform(0.25, 0.55)) * (0.25 + 0.75 * light)
    layer_HWC = np.zeros((size, size, 4), np.float32)
    down, across = (centres - _MARGIN for centres in pixel_centres(size))
    heading = np.radians(rng.uniform(35, 55))
    _leaf(layer_HWC, (across, down), (0.0, 0.0), heading, (_LENGTH / 2, 0.008), shade(colour, 0.6))
    for number in range(_LEAVES):
        along = _LENGTH * (number + rng.uniform(0.5, 1)) / _LEAVES
        root = (along * np.cos(heading), along * np.sin(heading))
        side = np.radians(rng.uniform(25, 75)) * (-1) ** number
        half = (rng.uniform(0.04, 0.065), rng.uniform(0.015, 0.024))
        _leaf(layer_HWC, (across, down), root, heading + side, half, shade(colour, rng.uniform(0.7, 1.3)))
    return layer_HWC


def lay_branch_over(image_HWC: np.ndarray, branch_HWC: np.ndarray, *, on_the_right: bool, turn_degrees: float) -> None:
    """Paint `branch_HWC`, turned around its root in an upper corner, over the image, float32 in [0, 1], in place."""
    size, extent = len(image_HWC), round(_EXTENT * len(image_HWC))
    corner_HWC = (image_HWC[:, ::-1] if on_the_right else image_HWC)[:extent, :extent]
    cos, sin = np.cos(np.radians(turn_degrees)), np.sin(np.radians(turn_degrees))
    root = _MARGIN * size - 0.5
    turn = np.array([[cos, -sin, -0.5 - cos * root + sin * root], [sin, cos, -0.5 - sin * root - cos * root]])
    seen_HWC = cv2.warpAffine(branch_HWC, turn, (extent, extent), flags=cv2.INTER_LINEAR)
    corner_HWC *= 1 - seen_HWC[..., 3:]
    corner_HWC += seen_HWC[..., :3]


def _leaf(
    layer_HWC: np.ndarray,
    points: tuple[np.ndarray, np.ndarray],
    root: tuple[float, float],
    heading: float,
    half: tuple[float, float],
    colour: np.ndarray,
) -> None:
    """Lay an ellipse over the layer that starts at `root` (x, y) and extends to `heading`."""
    x, y = points[0] - root[0], points[1] - root[1]
    along, aside = x * np.cos(heading) + y * np.sin(heading) - half[0], y * np.cos(heading) - x * np.sin(heading)
    depth = (1 - np.hypot(along / half[0], aside / half[1])) * half[1]
    lay_over(layer_HWC, np.append(colour, 1).astype(np.float32), coverage(depth, len(layer_HWC)))
