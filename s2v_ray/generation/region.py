"""Where in a picture the square is that a model knows."""

import re
from typing import NamedTuple

import cv2
import numpy as np
from torch import Tensor

from s2v_ray.dataset.settings import AUTO, CENTRE
from s2v_ray.errors import UserError
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.training.data.pixels import to_bytes

# The search: the mean frame, at so many pixels, is compared with squares of all places and sizes.
_SIDE, _FINE_SIDE = 32, 64
_STEP, _FINE_STEP = 1.1, 1.025  # from one size to the next
_LEAST_PART = 0.15  # of the picture's shorter side
# A place is sure if it looks like the mean frame, and nowhere else does nearly as much. Chosen by the mouths of one of
# GRID's speakers: 27 of 33 pictures of him and others of GRID are, and none of 51 other pictures (peaks up to 0.52).
_LEAST_PEAK = 0.55
_MOST_SECOND = 0.85  # of the peak, at another place
_SMOOTHING = 0.8  # pixels
_MOST_LENGTHS = 16  # of a picture's shorter side in its longer one: such strips are not searched
_FAINT = 0.5  # gradients below so much of the median one count little: noise has a direction, too


class Region(NamedTuple):
    """A square in the picture's own pixels, and how it was chosen, in words."""

    square: Crop
    reason: str


class _Match(NamedTuple):
    """How alike a square and the mean frame are, -1 to 1, and the square."""

    correlation: float
    x: float
    y: float
    size: float


def check_region(region: str) -> None:
    """Raise UserError, with the rule, unless `region` says where the square is."""
    if region not in (AUTO, CENTRE) and not re.fullmatch(r"\d+,\d+,[1-9]\d*", region):
        rule = "must be auto, centre, or x,y,size in the image's pixels"
        raise UserError("wrong_region", f"--region is '{region}', but {rule}.")


def find_region(region: str, picture_HWC: np.ndarray, mean_CHW: Tensor | None, known_part: float = 1.0) -> Region:
    """The square of a picture, uint8 RGB [H, W, 3], that `region` asks for: "auto", "centre" or "x,y,size".

    "auto" is where the picture looks like the mean training frame, [3, R, R] in [-1, 1]: of that square, the middle
    `known_part` of the side, which training saw. Where that is unsure, it is the centre. Raises UserError
    `wrong_region` and `region_outside`.
    """
    check_region(region)
    height, width = picture_HWC.shape[:2]
    side = min(height, width)
    centre = Crop((width - side) // 2, (height - side) // 2, side)
    if region == CENTRE:
        return Region(centre, "the centre")
    if region == AUTO:
        if mean_CHW is None:
            return Region(centre, "the centre, since the checkpoint has no mean training frame to look for")
        if max(height, width) > _MOST_LENGTHS * side:
            shape = f"an image of {width} x {height} pixels is too long to search"
            return Region(centre, f"the centre, since {shape}; --region x,y,size chooses another")
        best, second = find_matches(picture_HWC, to_bytes(mean_CHW).numpy())
        if best.correlation < _LEAST_PEAK or second > _MOST_SECOND * best.correlation:
            alike = f"correlation {best.correlation:.2f}, and {second:.2f} elsewhere"
            problem = f"nothing in the image looks clearly like the training frames ({alike})"
            return Region(centre, f"the centre, since {problem}; --region x,y,size chooses another")
        size = max(1, min(round(known_part * best.size), side))
        edge = (best.size - size) / 2
        x, y = (round(min(max(0, at + edge), most - size)) for at, most in ((best.x, width), (best.y, height)))
        return Region(Crop(x, y, size), f"where it looks like the training frames (correlation {best.correlation:.2f})")
    square = Crop(*map(int, region.split(",")))
    if square.x + square.size > width or square.y + square.size > height:
        problem = f"--region {region} leaves the image of {width} x {height} pixels"
        raise UserError("region_outside", f"{problem}; give x,y,size of a square inside it.")
    return Region(square, "as given")


def find_matches(picture_HWC: np.ndarray, template_HWC: np.ndarray) -> tuple[_Match, float]:
    """The square most like a template, both uint8 RGB, and the greatest correlation elsewhere.

    Compared are directions of gradients, which light and colours change little.
    """
    grey_HW, template_HW = (image.mean(axis=2, dtype=np.float32) for image in (picture_HWC, template_HWC))
    shorter = min(grey_HW.shape)
    count = 1 + int(np.log(1 / _LEAST_PART) / np.log(_STEP))
    found = [match for n in range(count) for match in _matches(grey_HW, template_HW, shorter / _STEP**n, _SIDE)]
    best = max(found)
    second = max((match.correlation for match in found if _overlap(match, best) < 0.25), default=0.0)
    sizes = [best.size * _FINE_STEP**n for n in range(-4, 5)]
    fine = [match for size in sizes for match in _matches(grey_HW, template_HW, min(size, shorter), _FINE_SIDE)]
    near = max((match for match in fine if _overlap(match, best) > 0.5), default=best)
    return near._replace(correlation=best.correlation), second


def _matches(grey_HW: np.ndarray, template_HW: np.ndarray, size: float, side: int) -> list[_Match]:
    """The best three squares of one size, apart from each other, at a scale at which they have `side` pixels."""
    height, width = (max(side, round(length * side / size)) for length in grey_HW.shape)
    interpolation = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
    directions = _directions(cv2.resize(grey_HW, (width, height), interpolation=interpolation))
    template = _directions(cv2.resize(template_HW, (side, side), interpolation=cv2.INTER_AREA))
    # Near its edges the template has no gradients of what continues beyond them.
    edge = side // 16
    inner, inner_template = (each[edge:-edge, edge:-edge] for each in (directions, template))
    correlation_YX = np.nan_to_num(cv2.matchTemplate(inner, inner_template, cv2.TM_CCOEFF_NORMED), posinf=0, neginf=0)
    matches = []
    for _ in range(3):
        _, peak, _, (x, y) = cv2.minMaxLoc(correlation_YX)
        matches.append(_Match(peak, x * size / side, y * size / side, size))
        near = side // 4
        correlation_YX[max(0, y - near) : y + near + 1, max(0, x - near) : x + near + 1] = -1
    return matches


def _directions(grey_HW: np.ndarray) -> np.ndarray:
    """Gradients [H, W, 2] of nearly the same length wherever there is an edge."""
    smooth_HW = cv2.GaussianBlur(grey_HW, (0, 0), _SMOOTHING)
    x_HW, y_HW = (cv2.Sobel(smooth_HW, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    length_HW = np.hypot(x_HW, y_HW)
    faint = _FAINT * float(np.median(length_HW)) + 1e-3
    return np.dstack([x_HW, y_HW]) / (length_HW + faint)[..., None]


def _overlap(a: _Match, b: _Match) -> float:
    """The common area over that of both together."""
    sides = (min(p + a.size, q + b.size) - max(p, q) for p, q in ((a.x, b.x), (a.y, b.y)))
    width, height = (max(0.0, side) for side in sides)
    return width * height / (a.size**2 + b.size**2 - width * height)
