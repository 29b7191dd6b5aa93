"""Does the camera move, or only what it films?"""

from fractions import Fraction

import numpy as np

# The camera is followed in steps of this: short enough for pans, and longer than a repeated frame.
_STEP_SECONDS = Fraction(1, 15)
_ANALYSIS_SIZE = 36  # pixels a side: coding noise is gone, movement is not
_TILES = 4  # a side
_LEAST_TILES = 4
# A corner counts from this change of grey a pixel, in [0, 1], in the direction where it changes least.
_LEAST_TEXTURE = 0.005


def camera_motion(frames_THWC: np.ndarray, frame_rate: Fraction) -> float:
    """How fast the calmest quarter of the frame moves, on average, in sides of the frame a second.

    A still camera leaves part of the frame where it is, a moving one nothing. Lucas & Kanade's shift (1981) is
    found for each of 4 x 4 tiles, and counts by how much of the tile's change it explains, so that flashes, fire and
    foam count little, and by how much of all tiles' shifts one movement of the camera explains. Tiles without lasting
    texture are ignored; 0 where fewer than four remain. A zoom counts about half: the middle of the frame is calm.
    """
    step = max(1, round(frame_rate * _STEP_SECONDS))
    grey_TXY = _small_grey(frames_THWC[::step])
    if len(grey_TXY) < 2:
        return 0.0
    size = grey_TXY.shape[1]
    grey_TXY = _smooth(grey_TXY)
    middle = (grey_TXY[:-1] + grey_TXY[1:]) / 2
    along_x = (middle[:, 1:-1, 2:] - middle[:, 1:-1, :-2]) / 2
    along_y = (middle[:, 2:, 1:-1] - middle[:, :-2, 1:-1]) / 2
    over_t = (grey_TXY[1:] - grey_TXY[:-1])[:, 1:-1, 1:-1]
    xx, xy, yy = _tile_means(along_x * along_x), _tile_means(along_x * along_y), _tile_means(along_y * along_y)
    xt, yt, tt = _tile_means(along_x * over_t), _tile_means(along_y * over_t), _tile_means(over_t * over_t)
    determinant = xx * yy - xy * xy
    # The structure tensor's smaller eigenvalue: an edge alone reveals only one component of a shift.
    texture = (xx + yy) / 2 - np.sqrt(np.maximum((xx - yy) ** 2 / 4 + xy * xy, 0))
    shift_x = -(yy * xt - xy * yt) / (determinant + 1e-12)
    shift_y = -(xx * yt - xy * xt) / (determinant + 1e-12)
    explained = np.clip(-(shift_x * xt + shift_y * yt) / (tt + 1e-9), 0, 1)
    telling = np.quantile(texture, 0.25, axis=0) > _LEAST_TEXTURE**2
    if telling.sum() < _LEAST_TILES:
        return 0.0
    shift_PN2 = (np.stack([shift_x, shift_y], axis=-1) * explained[..., None])[:, telling]
    pixels_P = np.quantile(np.linalg.norm(shift_PN2, axis=-1), 0.25, axis=1) * _coherence(shift_PN2, telling)
    return float(pixels_P.mean() / size * float(frame_rate) / step)


def _coherence(shift_PN2: np.ndarray, telling: np.ndarray) -> np.ndarray:
    """The share, [P], of the tiles' shifts that one pan, zoom and roll of the camera explains: adjusted R²."""
    positions = np.stack(np.divmod(np.flatnonzero(telling), _TILES)[::-1], axis=-1) - (_TILES - 1) / 2  # x, y
    positions = positions - positions.mean(axis=0)
    x, y = positions.T
    u, v = shift_PN2[..., 0], shift_PN2[..., 1]
    pan_P = shift_PN2.mean(axis=1)
    zoom_P, roll_P = (x * u + y * v).sum(axis=1) / (x @ x + y @ y), (x * v - y * u).sum(axis=1) / (x @ x + y @ y)
    fitted_PN2 = pan_P[:, None] + np.stack(
        [np.outer(zoom_P, x) - np.outer(roll_P, y), np.outer(zoom_P, y) + np.outer(roll_P, x)], axis=-1
    )
    count = 2 * len(x)
    left_P = ((shift_PN2 - fitted_PN2) ** 2).sum(axis=(1, 2)) / (count - 4)
    return np.asarray(np.clip(1 - left_P / ((shift_PN2**2).sum(axis=(1, 2)) / count + 1e-12), 0, 1))


def _small_grey(frames_THWC: np.ndarray) -> np.ndarray:
    """Grey in [0, 1], float32 [T, s, s] of about 36 pixels a side, by averaging blocks."""
    block = max(1, round(frames_THWC.shape[1] / _ANALYSIS_SIZE))
    size = frames_THWC.shape[1] // block
    grey = frames_THWC[:, : size * block, : size * block, 0].astype(np.uint16)
    grey += frames_THWC[:, : size * block, : size * block, 1]
    grey += frames_THWC[:, : size * block, : size * block, 2]
    total = np.zeros((len(grey), size, size), np.float32)
    for y in range(block):
        for x in range(block):
            total += grey[:, y::block, x::block]
    total /= block * block * 3 * 255
    return total


def _smooth(grey_TXY: np.ndarray) -> np.ndarray:
    """Binomial smoothing over three pixels in both directions, without a pixel at each border."""
    rows = (grey_TXY[:, :-2] + 2 * grey_TXY[:, 1:-1] + grey_TXY[:, 2:]) / 4
    smooth: np.ndarray = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    return smooth


def _tile_means(values_TXY: np.ndarray) -> np.ndarray:
    """The means of 4 x 4 tiles, [T, 16]."""
    edges = np.linspace(0, values_TXY.shape[1], _TILES + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(values_TXY, edges, axis=1), edges, axis=2)
    means: np.ndarray = sums.reshape(len(sums), -1) * (_TILES / values_TXY.shape[1]) ** 2
    return means
