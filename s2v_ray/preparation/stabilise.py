"""Registration: how far frames have moved from a reference, found and undone to a fraction of a pixel.

A transform M, float32 [2, 3], maps the pixel (x, y) of the reference to the pixel M · (x, y, 1) of a frame that shows
the same point. Transforms are found by maximising the enhanced correlation coefficient (ECC; Evangelidis and Psarakis
2008), which ignores changes of brightness and contrast and is reliable near its start: so each frame starts where the
one before it was found.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

cv2.setNumThreads(1)  # sources are prepared in parallel

IDENTITY = np.eye(2, 3, dtype=np.float32)
# Below this correlation with the reference a frame is not found; it is taken to be where the one before it was.
LEAST_CORRELATION = 0.6
# Frames are steadier if what is left of their changes over time is at most this share of it.
LEAST_GAIN = 0.9
_AREA_FACTORS = tuple(1.15**step for step in range(-3, 4))
_MEDIAN_FRAMES = 15  # of a median image; more cost time and gain nothing
_SMOOTHING_PIXELS = 1.0
# Frames of at least this size are registered at half of it, which finds them as well, in a quarter of the time.
_LEAST_HALVED_PIXELS = 96
_FRAMES = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 3e-4)


@dataclass(frozen=True)
class Registration:
    """Where frames were found: `transforms_T23` from the reference, and `lost`, how many were not found."""

    reference_HW: np.ndarray
    transforms_T23: np.ndarray
    lost: int

    @property
    def found(self) -> bool:
        """Whether nine of ten frames were found."""
        return 10 * self.lost <= len(self.transforms_T23)


def smooth_grey(frames_THWC: np.ndarray) -> np.ndarray:
    """Grey uint8 [T, H, W] of RGB frames uint8 [T, H, W, 3], without the finest coding noise."""
    return np.stack(
        [cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (0, 0), _SMOOTHING_PIXELS) for frame in frames_THWC]
    )


def median_image(grey_THW: np.ndarray) -> np.ndarray:
    """The median uint8 [H, W] of up to 15 frames spread over time, so that blank or odd ones don't count."""
    step = max(1, len(grey_THW) // _MEDIAN_FRAMES)
    return np.asarray(np.median(grey_THW[step // 2 :: step], axis=0)).astype(np.uint8)


def register_frames(
    grey_THW: np.ndarray, mask_HW: np.ndarray, reference_HW: np.ndarray | None = None, *, near: np.ndarray = IDENTITY
) -> Registration:
    """Find shift and rotation of each frame uint8 [T, H, W]; only pixels where `mask_HW` (uint8) is not 0 count.

    Without a reference, all frames are registered to their median first, and then to the mean of what that gave, which
    is the reference. `near` is where the first frame is expected. The mask is one of the reference's pixels.
    """
    mask_HW = warp(mask_HW[None], _inverse(near)[None], cv2.INTER_NEAREST)[0]
    first_HW = median_image(grey_THW) if reference_HW is None else reference_HW
    halved = min(grey_THW.shape[1:]) >= _LEAST_HALVED_PIXELS
    if reference_HW is None:
        near = _follow(grey_THW, mask_HW, first_HW, near, halved=halved).transforms_T23
        first_HW = warp(grey_THW, near).mean(axis=0).round().astype(np.uint8)
    return _follow(grey_THW, mask_HW, first_HW, near, halved=halved)


def register_near(grey_THW: np.ndarray, mask_HW: np.ndarray, reference_HW: np.ndarray) -> Registration:
    """`register_frames` of a window that may be some way from the reference: it is found by its median first."""
    near, correlation = register_images(reference_HW, median_image(grey_THW), mask_HW)
    near = near if correlation >= LEAST_CORRELATION else IDENTITY
    return register_frames(grey_THW, mask_HW, reference_HW, near=near)


def steadied(frames_THWC: np.ndarray) -> np.ndarray:
    """Frames uint8 RGB [T, H, W, 3] shifted onto their median; as they are where that makes them no steadier."""
    grey_THW = smooth_grey(frames_THWC)
    everything = np.full(grey_THW.shape[1:], 255, np.uint8)
    found = _follow(grey_THW, everything, median_image(grey_THW), IDENTITY, cv2.MOTION_TRANSLATION, halved=True)
    if not found.found or unrest(warp(grey_THW, found.transforms_T23)) > LEAST_GAIN * unrest(grey_THW):
        return frames_THWC
    return warp(frames_THWC, found.transforms_T23)


def unrest(grey_THW: np.ndarray, mask_HW: np.ndarray | None = None) -> float:
    """How much pixels where the mask is not 0 change over time: the root mean square of their standard deviation."""
    deviation_HW = np.var(grey_THW, axis=0, dtype=np.float32)
    return float(np.sqrt(deviation_HW.mean() if mask_HW is None else deviation_HW[mask_HW > 0].mean()))


def register_images(
    reference_HW: np.ndarray, image_HW: np.ndarray, mask_HW: np.ndarray | None = None, *, rotate: bool = True
) -> tuple[np.ndarray, float]:
    """Find `image_HW`, uint8 of the reference's shape, by up to an eighth of its size away; (transform, correlation).

    It is found by its best overlap, then by ECC of strongly blurred images, then, where `rotate`, by shift and rotation
    of what `mask_HW` (uint8, of the reference's pixels) leaves in. The correlation, in [−1, 1], is that of the details.
    """
    margin_y, margin_x = (max(1, size // 8) for size in reference_HW.shape)
    middle_HW = reference_HW[margin_y:-margin_y, margin_x:-margin_x]
    overlap_YX = cv2.matchTemplate(image_HW, middle_HW, cv2.TM_CCOEFF_NORMED)
    y, x = np.unravel_index(int(np.argmax(overlap_YX)), overlap_YX.shape)
    M = np.array([[1, 0, x - margin_x], [0, 1, y - margin_y]], np.float32)
    M, _ = _ecc(reference_HW, image_HW, M, cv2.MOTION_TRANSLATION, (3, 50, 1e-3), None, blur=5)
    if rotate:
        shifted = None if mask_HW is None else warp(mask_HW[None], _inverse(M)[None], cv2.INTER_NEAREST)[0]
        M, _ = _ecc(reference_HW, image_HW, M, cv2.MOTION_EUCLIDEAN, (3, 50, 1e-4), shifted)
    return M, detail_correlation(reference_HW, warp(image_HW[None], M[None])[0], mask_HW)


def find_area(area_HW: np.ndarray, image_HW: np.ndarray) -> tuple[np.ndarray, float]:
    """Find what one image shows in another, anywhere, at two thirds to one and a half times its size.

    Returns the transform, which may be any affine one, and the correlation of the details, in [−1, 1].
    """
    height, width = area_HW.shape
    margin = min(height, width) // 3
    best, most = IDENTITY, -1.0
    for factor in _AREA_FACTORS:
        shape = (round(image_HW.shape[1] / factor), round(image_HW.shape[0] / factor))
        scaled_HW = cv2.resize(image_HW, shape, interpolation=cv2.INTER_AREA if factor > 1 else cv2.INTER_LINEAR)
        padded_HW = cv2.copyMakeBorder(scaled_HW, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        if padded_HW.shape[0] < height or padded_HW.shape[1] < width:
            continue
        overlap_YX = cv2.matchTemplate(padded_HW, area_HW, cv2.TM_CCOEFF_NORMED)
        y, x = np.unravel_index(int(np.argmax(overlap_YX)), overlap_YX.shape)
        if overlap_YX[y, x] > most:
            most, half = float(overlap_YX[y, x]), (factor - 1) / 2
            x_shift, y_shift = ((int(at) - margin) * factor + half for at in (x, y))
            best = np.array([[factor, 0.0, x_shift], [0.0, factor, y_shift]], np.float32)
    M, _ = _ecc(area_HW, image_HW, best, cv2.MOTION_AFFINE, (3, 60, 1e-4), None, blur=3)
    shown_HW = warp(np.asarray(image_HW)[None], M[None], shape=(width, height))[0]
    return M, detail_correlation(area_HW, shown_HW)


def detail_correlation(one_HW: np.ndarray, other_HW: np.ndarray, mask_HW: np.ndarray | None = None) -> float:
    """Pearson's correlation, in [−1, 1], of what two grey images show beside slow gradients, which many share."""
    radius = max(one_HW.shape) / 18
    images = [image.astype(np.float32) for image in (one_HW, other_HW)]
    details = [image - cv2.GaussianBlur(image, (0, 0), radius) for image in images]
    inside = np.ones(one_HW.shape, bool) if mask_HW is None else mask_HW > 0
    border = max(1, min(one_HW.shape) // 14)
    inside[:border] = inside[-border:] = inside[:, :border] = inside[:, -border:] = False
    one, other = (detail[inside] - detail[inside].mean() for detail in details)
    return float((one * other).mean() / (one.std() * other.std() + 1e-6))


def compose(outer_23: np.ndarray, inner_23: np.ndarray) -> np.ndarray:
    """The transform that applies `inner_23`, then `outer_23`."""
    outer_33, inner_33 = (np.vstack([M, [0, 0, 1]]) for M in (outer_23, inner_23))
    return np.asarray((outer_33 @ inner_33)[:2], np.float32)


def warp(
    frames_T: np.ndarray,
    transforms_T23: np.ndarray,
    interpolation: int = cv2.INTER_LINEAR,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Frames [T, H, W] or [T, H, W, 3] as the reference shows them; of `shape` (width, height) from its (0, 0) on.

    Edges are repeated outwards.
    """
    height, width = frames_T.shape[1:3]
    shape = shape or (width, height)
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return np.stack(
        [
            cv2.warpAffine(frame, M, shape, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for frame, M in zip(frames_T, transforms_T23, strict=True)
        ]
    )


def points_moved(transforms_T23: np.ndarray, x: float, y: float) -> np.ndarray:
    """How far [T, 2] each frame shows the reference's point (x, y) from there, in pixels."""
    point = np.array([x, y, 1], np.float32)
    return np.asarray(transforms_T23 @ point - point[:2])


def _follow(
    grey_THW: np.ndarray,
    mask_HW: np.ndarray,
    reference_HW: np.ndarray,
    near: np.ndarray,
    motion: int = cv2.MOTION_EUCLIDEAN,
    *,
    halved: bool = False,
) -> Registration:
    """Register each frame, from where `near` expects it: [T, 2, 3], or [2, 3] for the first alone.

    Then each of the others is expected where the one before was. One that is lost is taken to be where it was expected.
    With `halved`, all this is done at half the size.
    """
    if halved:
        half_near = np.stack([_rescaled(M, 0.5) for M in near]) if near.ndim == 3 else _rescaled(near, 0.5)
        half_THW = np.stack([_half(frame_HW) for frame_HW in grey_THW])
        found = _follow(half_THW, _half(mask_HW), _half(reference_HW), half_near, motion)
        return Registration(reference_HW, np.stack([_rescaled(M, 2) for M in found.transforms_T23]), found.lost)
    transforms: list[np.ndarray] = []
    lost = 0
    for number, frame_HW in enumerate(grey_THW):
        start = near[number] if near.ndim == 3 else transforms[-1] if transforms else near
        M, correlation = _ecc(reference_HW, frame_HW, start, motion, _FRAMES, mask_HW)
        is_lost = correlation < LEAST_CORRELATION
        lost += is_lost
        transforms.append(start if is_lost else M)
    return Registration(reference_HW, np.stack(transforms), lost)


def _ecc(
    reference_HW: np.ndarray,
    image_HW: np.ndarray,
    start_23: np.ndarray,
    motion: int,
    criteria: tuple[int, int, float],
    mask_HW: np.ndarray | None,
    blur: int = 1,
) -> tuple[np.ndarray, float]:
    """(transform, correlation); (`start_23`, −1) where there is none to be found, as in a blank image."""
    try:
        everything_or_mask: Any = mask_HW  # OpenCV's stub lacks its None
        correlation, found = cv2.findTransformECC(
            reference_HW, image_HW, start_23.copy(), motion, criteria, everything_or_mask, blur
        )
    except cv2.error:
        return start_23, -1.0
    return np.asarray(found, np.float32), float(correlation)


def _half(image_HW: np.ndarray) -> np.ndarray:
    height, width = (size // 2 for size in image_HW.shape)
    even_HW = image_HW[: 2 * height, : 2 * width]  # so that it is exactly half as large
    return np.asarray(cv2.resize(even_HW, (width, height), interpolation=cv2.INTER_AREA))


def _rescaled(M: np.ndarray, factor: float) -> np.ndarray:
    """The same transform between images `factor` times as large; pixel (0, 0) has its centre at (½, ½)."""
    shift = factor * M[:, 2] + (factor - 1) / 2 * (np.eye(2) - M[:, :2]).sum(axis=1)
    return np.column_stack([M[:, :2], shift]).astype(np.float32)


def _inverse(M: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.invertAffineTransform(M), np.float32)
