"""What faces and figures are painted with: colours of skin and hair, and a canvas of antialiased shapes."""

import numpy as np
from PIL import Image, ImageDraw

from s2v_ray.synthetic.paint import Colour, shade

SUPERSAMPLING = 4

_SKINS = [(250, 217, 190), (240, 195, 160), (222, 170, 128), (190, 134, 94), (148, 98, 66), (108, 70, 50)]
_HAIRS = [(36, 28, 28), (74, 46, 30), (122, 76, 40), (196, 148, 72), (226, 200, 130), (158, 62, 36), (150, 150, 155)]


def random_skin(rng: np.random.Generator) -> Colour:
    """A colour of skin, from light to dark."""
    return shade(rng.choice(np.array(_SKINS, np.float32) / 255), rng.uniform(0.96, 1.02))


def random_hair(rng: np.random.Generator) -> Colour:
    """A colour of hair, from black to blond, red or grey."""
    return shade(rng.choice(np.array(_HAIRS, np.float32) / 255), rng.uniform(0.85, 1.1))


class Canvas:
    """An image to paint antialiased shapes on; coordinates are in units of its side, from the top left corner."""

    def __init__(self, size: int, top: Colour, bottom: Colour) -> None:
        """Start with a wall that fades from the colour `top` to the colour `bottom`."""
        self._side = SUPERSAMPLING * size
        fade_Y11 = np.linspace(0, 1, self._side)[:, None, None]
        wall = np.broadcast_to(255 * (top + fade_Y11 * (bottom - top)), (self._side, self._side, 3))
        self._image = Image.fromarray(wall.astype(np.uint8))
        self._pen = ImageDraw.Draw(self._image)

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, colour: Colour) -> None:
        corners = self._scaled(x - half_width, y - half_height, x + half_width, y + half_height)
        self._pen.ellipse(corners, fill=_fill(colour))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, radius: float = 0) -> None:
        self._pen.rounded_rectangle(self._scaled(left, top, right, bottom), radius * self._side, fill=_fill(colour))

    def frame(self, left: float, top: float, right: float, bottom: float, colour: Colour, radius: float) -> None:
        corners, width = self._scaled(left, top, right, bottom), round(0.011 * self._side)
        self._pen.rounded_rectangle(corners, radius * self._side, outline=_fill(colour), width=width)

    def polygon(self, corners: list[tuple[float, float]], colour: Colour) -> None:
        self._pen.polygon([(x * self._side, y * self._side) for x, y in corners], fill=_fill(colour))

    def finish(self) -> np.ndarray:
        """The image, float32 [size, size, 3] in [0, 1]."""
        return np.asarray(self._image.reduce(SUPERSAMPLING), dtype=np.float32) / 255

    def _scaled(self, *coordinates: float) -> list[float]:
        return [value * self._side for value in coordinates]


def _fill(colour: Colour) -> tuple[int, ...]:
    return tuple(round(255 * float(channel)) for channel in colour)
