"""A face that sings the vowels a, i, u, e, o: the shape of the mouth and the formants of the voice change together.

The image determines whose face it is, the sound which vowel and how loud. Only a few percent of how far the mouth
opens follow from neither.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from s2v_ray.media.clock import samples_per_frame
from s2v_ray.synthetic.paint import Colour, lay_over, rgb, shade
from s2v_ray.synthetic.people import SUPERSAMPLING, Canvas, random_hair, random_skin
from s2v_ray.synthetic.voice import compose, sing

# Shapes in units of the speaker's mouth width: the opening's width and height, its roundness (0 lens, 1 ellipse),
# how far the upper and lower teeth and the tongue reach into it, and the thickness of the lips.
_SHAPES_VP = np.array(
    [
        [0.64, 0.66, 0.90, 0.10, 0.00, 0.26, 0.11],  # a: tall, open
        [0.98, 0.20, 0.35, 0.11, 0.07, 0.00, 0.08],  # i: wide, thin, teeth
        [0.24, 0.22, 1.00, 0.00, 0.00, 0.00, 0.19],  # u: small, round, pursed
        [0.86, 0.40, 0.60, 0.12, 0.00, 0.18, 0.09],  # e: wide, half open
        [0.44, 0.56, 1.00, 0.00, 0.00, 0.10, 0.15],  # o: tall, round
        [0.72, 0.00, 0.30, 0.00, 0.00, 0.00, 0.11],  # closed
    ]
)


def scene(
    source_seed: int, nuisance_seed: int, *, seconds: float, size: int, frame_rate: Fraction, sample_rate: int
) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """A `Scene` of a singing face; `nuisance_seed` varies how far the mouth opens for each vowel."""
    frame_count, frame_samples = round(seconds * frame_rate), samples_per_frame(sample_rate, frame_rate)
    song = compose(source_seed, seconds)
    wave = sing(song, frame_count * frame_samples, sample_rate)

    shapes_EP = _SHAPES_VP[song.states].copy()
    shapes_EP[:, 1] *= 0.75 + 0.25 * song.loudness
    shapes_EP[:, :2] *= 1 + np.random.default_rng(nuisance_seed).uniform(-0.04, 0.04, (len(shapes_EP), 2))
    frame_seconds_T = (np.arange(frame_count) + 0.5) / float(frame_rate)
    look = _look(np.random.default_rng([source_seed, 2]), size)
    return _frames(look, song.glide(shapes_EP, frame_seconds_T)), wave


class _Look(NamedTuple):
    """A face without its lower half, and what that needs; lengths are in units of the image's side, from top left."""

    backdrop: np.ndarray  # float32 [size, size, 3]
    centre_x: float
    centre_y: float
    half_width: float
    half_height: float
    chin_power: float  # 2 is round, more is square
    mouth_y: float
    mouth_width: float
    skin: Colour
    lips: Colour


_MEAN_S = np.full(SUPERSAMPLING, 1 / SUPERSAMPLING, np.float32)
_WHITE = np.ones(3, np.float32)
_BLACK = np.full(3, 0.06, np.float32)
_INSIDE = np.array((0.23, 0.05, 0.08), np.float32)
_TEETH = np.array((0.96, 0.95, 0.91), np.float32)
_TONGUE = np.array((0.77, 0.33, 0.36), np.float32)


def _look(rng: np.random.Generator, size: int) -> _Look:
    scale = rng.uniform(0.9, 1.06)
    skin = random_skin(rng)
    lip_tone = rgb(rng.uniform(-0.05, 0.02), 0.68, 0.76)
    wall_hue, wall_saturation, wall_value = rng.random(), rng.uniform(0.2, 0.65), rng.uniform(0.45, 0.95)
    y, x = 0.475 + rng.uniform(-0.015, 0.015), 0.5 + rng.uniform(-0.07, 0.07)
    a, b = 0.315 * scale * rng.uniform(0.93, 1.07), 0.395 * scale  # the face's half width and half height
    chin_power = rng.uniform(1.9, 2.6)
    mouth_y, mouth_width = y + 0.46 * b * rng.uniform(0.94, 1.06), 0.36 * scale * rng.uniform(0.9, 1.1)
    hair_style, glasses, stripes = rng.integers(3), rng.random() < 0.25, int(rng.integers(0, 7))
    lips = skin + rng.uniform(0.45, 0.75) * (lip_tone - skin)
    hair = random_hair(rng)
    eyes = rgb(rng.uniform(0.05, 0.62), 0.6, rng.uniform(0.25, 0.6))
    clothes = rgb(rng.random(), rng.uniform(0.45, 0.9), rng.uniform(0.4, 0.95))
    wall = rgb(wall_hue, wall_saturation, wall_value)
    wall_below = rgb(wall_hue + rng.uniform(-0.08, 0.08), wall_saturation, wall_value * 0.72)

    canvas = Canvas(size, wall, wall_below)
    for stripe in range(stripes):
        left = (stripe + 0.25) / stripes
        canvas.box(left, 0, left + 0.5 / stripes, 1, shade((wall + wall_below) / 2, 0.9))
    if hair_style == 1:  # long
        canvas.box(x - 1.2 * a, y - 0.3 * b, x + 1.2 * a, y + 1.02 * b, hair, radius=0.35 * a)
    if hair_style == 2:  # curls
        for turn in np.linspace(-0.08, 1.08, 9) * np.pi:
            curl_x, curl_y = x - a * np.cos(turn), y - 0.25 * b - 0.78 * b * np.sin(turn)
            canvas.ellipse(curl_x, curl_y, 0.33 * a, 0.33 * a, hair)
    canvas.ellipse(x, y - 0.22 * b, 1.1 * a, 0.92 * b, hair)

    neck = shade(skin, 0.8)
    canvas.box(x - 0.42 * a, y + 0.5 * b, x + 0.42 * a, 1.1, neck)
    canvas.ellipse(x, 1.2, 1.55 * a, 0.3, clothes)
    canvas.polygon([(x - 0.4 * a, 0.9), (x + 0.4 * a, 0.9), (x, 1.02)], neck)
    for side in (-1, 1):
        canvas.ellipse(x + side * a, y + 0.02 * b, 0.12 * a, 0.16 * b, shade(skin, 0.9))
    canvas.ellipse(x, y, a, 0.84 * b, skin)
    fringe = ((-0.98, -0.3), (-0.5, -0.5), (0.3, -0.56), (0.97, -0.3), (0.75, -0.85), (0, -1.05), (-0.75, -0.85))
    canvas.polygon([(x + across * a, y + down * b) for across, down in fringe], hair)

    for side in (-1, 1):
        eye_x, eye_y = x + side * 0.42 * a, y - 0.12 * b
        canvas.ellipse(eye_x, eye_y, 0.18 * a, 0.085 * b, _WHITE)
        canvas.ellipse(eye_x, eye_y, 0.085 * a, 0.08 * b, eyes)
        canvas.ellipse(eye_x, eye_y, 0.04 * a, 0.038 * b, _BLACK)
        canvas.ellipse(eye_x - 0.03 * a, eye_y - 0.03 * b, 0.018 * a, 0.016 * b, _WHITE)
        brow = shade(hair, 0.75)
        canvas.box(eye_x - 0.2 * a, eye_y - 0.18 * b, eye_x + 0.2 * a, eye_y - 0.135 * b, brow, radius=0.01)
        if glasses:
            canvas.frame(eye_x - 0.29 * a, eye_y - 0.13 * b, eye_x + 0.29 * a, eye_y + 0.115 * b, _BLACK, radius=0.03)
    canvas.ellipse(x, y + 0.15 * b, 0.13 * a, 0.055 * b, shade(skin, 0.84))
    canvas.ellipse(x, y + 0.125 * b, 0.1 * a, 0.05 * b, skin)
    return _Look(canvas.finish(), x, y, a, b, chin_power, mouth_y, mouth_width, skin, lips)


def _frames(look: _Look, shapes_TP: np.ndarray) -> Iterator[np.ndarray]:
    size = len(look.backdrop)
    top = int(look.centre_y * size)
    left = max(0, int((look.centre_x - look.half_width) * size) - 1)
    right = min(size, int((look.centre_x + look.half_width) * size) + 2)
    columns_X = np.arange(left * SUPERSAMPLING, right * SUPERSAMPLING)
    x_X = ((columns_X + 0.5) / (SUPERSAMPLING * size) - look.centre_x).astype(np.float32)
    row_Y1 = (np.arange(top, size) / size).astype(np.float32)[:, None]
    for shape_P in shapes_TP:
        frame = look.backdrop.copy()
        _paint_jaw_and_mouth(frame[top:, left:right], look, shape_P, x_X, row_Y1, size)
        yield np.rint(255 * frame).astype(np.uint8)


def _paint_jaw_and_mouth(
    region_YXC: np.ndarray, look: _Look, shape_P: np.ndarray, x_X: np.ndarray, row_Y1: np.ndarray, size: int
) -> None:
    """Paint onto the lower half of the face; x from the face's centre, rows by their upper edge."""

    def paint(upper_X: np.ndarray | float, lower_X: np.ndarray, colour: Colour) -> None:
        """Colour each column from `upper_X` down to `lower_X`, antialiased by the share of each pixel covered."""
        covered_YX = np.minimum(row_Y1 + 1 / size, lower_X) - np.maximum(row_Y1, upper_X)
        covered_NS = np.clip(covered_YX * size, 0, 1).reshape(-1, SUPERSAMPLING)
        # A product is many times faster than a mean over so short an axis.
        lay_over(region_YXC, colour, (covered_NS @ _MEAN_S).reshape(region_YXC.shape[:2]))

    width, height, roundness, upper_teeth, lower_teeth, tongue, lip = (shape_P * look.mouth_width).tolist()
    roundness /= look.mouth_width

    def arch(half_width: float, power: float) -> np.ndarray:
        """1 at the middle, 0 at ±half_width and beyond."""
        return np.maximum(0, 1 - (x_X / half_width) ** 2) ** power

    drop = 0.42 * height
    jaw_X = np.maximum(0, 1 - np.abs(x_X / look.half_width) ** look.chin_power) ** (1 / look.chin_power)
    jaw_X = look.centre_y + (look.half_height + drop) * jaw_X
    paint(look.centre_y, jaw_X, look.skin)
    chin_X = look.centre_y + 0.86 * look.half_height + drop + 0.02 * arch(0.08, 1)
    paint(chin_X - 0.012 * arch(0.08, 1), chin_X, shade(look.skin, 0.86))

    # The jaw does most of the opening. Round mouths have their corners at half height, others higher up.
    top, bottom = look.mouth_y - 0.32 * height, look.mouth_y + 0.68 * height
    corner = top + (0.22 + 0.28 * roundness) * height
    power = 1 - roundness / 2
    upper_X = corner - (corner - top) * arch(width / 2, power)
    lower_X = corner + (bottom - corner) * arch(width / 2, power)
    outer = width / 2 + 0.55 * lip
    lip_X = lip * arch(outer, 0.6)
    bow_X = 0.85 - 0.25 * np.exp(-((x_X / (0.16 * outer)) ** 2))
    lip_upper_X = corner - (corner - top) * arch(outer, power) - lip_X * bow_X
    lip_lower_X = corner + (bottom - corner) * arch(outer, power) + lip_X
    paint(lip_upper_X, lip_lower_X, look.lips)
    # Closed lips still show the line between them.
    line_X = 0.008 * arch(width / 2, 0.5)
    paint(upper_X - line_X, lower_X + line_X, _INSIDE)
    tongue_X = np.where(np.abs(x_X) < 0.36 * width, bottom - tongue * arch(0.4 * width, 0.5), lower_X)
    paint(np.maximum(upper_X, tongue_X), lower_X, _TONGUE)
    paint(upper_X, np.minimum(lower_X, top + upper_teeth), _TEETH)
    paint(np.maximum(upper_X, bottom - lower_teeth), lower_X, _TEETH)
