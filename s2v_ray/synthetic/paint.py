"""Painting of still pictures: soft coverages laid over one another, all in units of the picture's side."""

import colorsys

import numpy as np


def pixel_centres(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The places of the pixels, down [size, 1] and across [1, size], float32 in (0, 1)."""
    centres = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return centres[:, None], centres[None, :]


def coverage(depth: np.ndarray, size: int) -> np.ndarray:
    """How much of a pixel lies inside an edge, in [0, 1], from its centre's depth inside of it (antialiasing)."""
    return np.clip(depth * size + 0.5, 0, 1)


def lay_over(picture_HWC: np.ndarray, colour: np.ndarray, cover_HW: np.ndarray) -> None:
    """Paint `colour` [3] or [H, W, 3] over the picture in place with the given coverage."""
    picture_HWC += (colour - picture_HWC) * cover_HW[..., None]


def rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    """An HSV colour as float32 RGB [3]; all in [0, 1], the hue taken around the circle."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)
