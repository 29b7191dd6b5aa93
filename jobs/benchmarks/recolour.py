"""Videos in other colours."""

from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv


def recoloured(frames: Iterable[np.ndarray], hues: tuple[float, float]) -> Iterator[np.ndarray]:
    """The uint8 [H, W, 3] frames with all their hues mapped between two points of the circle [0, 1).

    The circle is folded, so that similar colours stay similar; saturation and value are kept.
    """
    low, high = hues
    for frame in frames:
        hsv = rgb_to_hsv(frame / 255)
        hsv[..., 0] = low + (high - low) * np.abs(2 * hsv[..., 0] - 1)
        yield np.rint(hsv_to_rgb(hsv) * 255).astype(np.uint8)
