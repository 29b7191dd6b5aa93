"""What faces and figures are painted with: colours of skin and hair, and a canvas of antialiased shapes."""

import numpy as np
from PIL import Image, ImageDraw

SUPERSAMPLING = 4

Colour = np.ndarray  # RGB in [0, 1], float32 [3]
SKINS = np.array(
    [(250, 217, 190), (240, 195, 160), (222, 170, 128), (190, 134, 94), (148, 98, 66), (108, 70, 50)], np.float32
)
SKINS /= 255
HAIRS = np.array(
    [(36, 28, 28), (74, 46, 30), (122, 76, 40), (196, 148, 72), (226, 200, 130), (158, 62, 36), (150, 150, 155)],
    np.float32,
)
HAIRS /= 255


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor below 1) or lighter."""
    return np.minimum(1, colour * factor)


class Canvas:
    """A picture to paint with antialiased shapes, in units of its side from the top left corner."""

    def __init__(self, size: int, above: Colour, below: Colour) -> None:
        """Start with a wall that fades from the colour `above` to the colour `below`."""
        self._side = SUPERSAMPLING * size
        fade_Y11 = np.linspace(0, 1, self._side)[:, None, None]
        wall = np.broadcast_to(255 * (above + fade_Y11 * (below - above)), (self._side, self._side, 3))
        self._image = Image.fromarray(wall.astype(np.uint8))
        self._pen = ImageDraw.Draw(self._image)

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, colour: Colour) -> None:
        corners = [(x - half_width) * self._side, (y - half_height) * self._side]
        corners += [(x + half_width) * self._side, (y + half_height) * self._side]
        self._pen.ellipse(corners, fill=_whole(colour))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, radius: float = 0) -> None:
        corners = [value * self._side for value in (left, top, right, bottom)]
        self._pen.rounded_rectangle(corners, radius * self._side, fill=_whole(colour))

    def frame(self, left: float, top: float, right: float, bottom: float, colour: Colour, radius: float) -> None:
        corners = [value * self._side for value in (left, top, right, bottom)]
        self._pen.rounded_rectangle(
            corners, radius * self._side, outline=_whole(colour), width=round(0.011 * self._side)
        )

    def polygon(self, corners: list[tuple[float, float]], colour: Colour) -> None:
        self._pen.polygon([(x * self._side, y * self._side) for x, y in corners], fill=_whole(colour))

    def finish(self) -> np.ndarray:
        """The picture, float32 [size, size, 3] in [0, 1]."""
        return np.asarray(self._image.reduce(SUPERSAMPLING), dtype=np.float32) / 255


def _whole(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * float(channel)) for channel in colour)
    return red, green, blue
