"""Painting of images as arrays, with soft edges; all lengths are in units of the image's side."""

import colorsys

import numpy as np

Colour = np.ndarray  # RGB in [0, 1], float32 [3]


def pixel_centres(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates of the pixels' centres, down [size, 1] and across [1, size], float32 in (0, 1)."""
    centres = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return centres[:, None], centres[None, :]


def coverage(depth: np.ndarray, size: int) -> np.ndarray:
    """The share of each pixel that lies inside an edge, from how deep its centre lies inside (antialiasing)."""
    return np.clip(depth * size + 0.5, 0, 1)


def lay_over(image_HWC: np.ndarray, colour: np.ndarray, cover_HW: np.ndarray) -> None:
    """Paint `colour`, [3] or [H, W, 3], over the image in place, with the given coverage."""
    image_HWC += (colour - image_HWC) * cover_HW[..., None]


def rgb(hue: float, saturation: float, value: float) -> Colour:
    """An HSV colour as RGB; all in [0, 1], with the hue taken modulo 1."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor below 1) or lighter."""
    return np.minimum(1, colour * factor)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], periods: tuple[float, float]) -> np.ndarray:
    """A random texture, periodic in both axes, with about `periods` (down, across) blobs along each.

    Returns float32 `shape` of mean 0 and standard deviation 1.
    """
    down, across = np.fft.fftfreq(shape[0], 1 / shape[0]), np.fft.rfftfreq(shape[1], 1 / shape[1])
    gain = np.exp(-0.5 * ((down[:, None] / periods[0]) ** 2 + (across[None, :] / periods[1]) ** 2))
    gain[0, 0] = 0
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, shape)
    return np.asarray(noise / (noise.std() + 1e-12), np.float32)


def to_uint8(image_HWC: np.ndarray) -> np.ndarray:
    """An image of any range as uint8; [0, 1] becomes [0, 255], and the rest is clipped."""
    return np.asarray(255 * np.clip(image_HWC, 0, 1) + 0.5, np.uint8)
