"""A model's change applied to the pixels of a whole picture, whatever their number."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from s2v_ray.generation.picture import Box
from s2v_ray.models.change import Change

FEATHER = 0.05  # of the box's side: over so much of it the change fades towards the picture around it
_CUBIC_FACTOR = 4
_LEVELS = 127.5  # of 0..255 in one of [-1, 1]


class _Maps(NamedTuple):
    """What is done to the base in one frame, [h, w, C] each."""

    added: np.ndarray
    mixed: np.ndarray | None
    flow: np.ndarray | None
    mask: np.ndarray | None


def whole_frames(picture_HWC: np.ndarray, box: Box, changes: Iterable[Change]) -> Iterator[np.ndarray]:
    """Frames of a picture, all uint8 [H, W, 3], of which the `box` changes as it would at the model's resolution.

    Each change is of one image, [1, T, ...], on the CPU or not. Its parts are enlarged smoothly; what it mixes and
    warps are the picture's own pixels. Where the picture continues beyond the box, the change fades to nothing, and all
    pixels outside are those of the picture.
    """
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    base_HWC = picture_HWC[rows, columns].astype(np.float32)
    size = (box.right - box.left, box.bottom - box.top)
    half_size = np.array(size, np.float32) / 2
    fade = _fades(box, *picture_HWC.shape[:2])
    x_HW, y_HW = np.meshgrid(*(np.arange(*ends, dtype=np.float32) for ends in (box[::2], box[1::2])))
    at_HW2 = np.dstack([x_HW, y_HW])

    def enlarged(map_HWC: np.ndarray) -> np.ndarray:
        large_HWC = _resized(map_HWC, size)
        for area, weight in fade:
            large_HWC[area] *= weight
        return large_HWC

    def moved(flow_HW2: np.ndarray, mask_HW3: np.ndarray) -> np.ndarray:
        """The base, warped where the mask says so; colours may come from outside the box."""
        from_x_HW, from_y_HW = cv2.split(at_HW2 + enlarged(flow_HW2 * half_size))
        found_HWC = cv2.remap(picture_HWC, from_x_HW, from_y_HW, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        difference_HWC = cv2.subtract(found_HWC, base_HWC, dtype=cv2.CV_32F)
        return np.asarray(cv2.add(base_HWC, cv2.multiply(difference_HWC, enlarged(mask_HW3))))

    for change in changes:
        for maps in _maps(change):
            below_HWC = base_HWC if maps.flow is None or maps.mask is None else moved(maps.flow, maps.mask)
            if maps.mixed is not None:
                below_HWC = cv2.multiply(below_HWC, 1 - enlarged(maps.mixed))
            frame_HWC = picture_HWC.copy()
            frame_HWC[rows, columns] = cv2.add(below_HWC, enlarged(maps.added), dtype=cv2.CV_8U)  # rounds and clips
            yield frame_HWC


def _maps(change: Change) -> Iterator[_Maps]:
    """For each frame what is added, in levels, how much of the base other colours replace, the flow, and the mask.

    Mixing colours C with weights w into a base B adds C·w − Σw·B: two maps of three channels, however many colours.
    """
    added_BTCHW, mixed_BTCHW = change.residual_BTCHW, None
    if change.weight_BTKHW is not None and change.colour_BCK is not None:
        mixed_BTCHW = change.weight_BTKHW.sum(2, keepdim=True)
        colours_BTCN = change.colour_BCK.unsqueeze(1) @ change.weight_BTKHW.flatten(3)
        # B in [-1, 1] is its levels over 127.5, less 1.
        added_BTCHW = added_BTCHW + torch.unflatten(colours_BTCN, 3, added_BTCHW.shape[3:]) + mixed_BTCHW
    maps = (_LEVELS * added_BTCHW, _three(mixed_BTCHW), change.flow_BT2HW, _three(change.mask_BT1HW))
    parts = [None if part is None else part[0].movedim(1, -1).contiguous().cpu().numpy() for part in maps]
    for t in range(added_BTCHW.shape[1]):
        yield _Maps(*(None if part is None else part[t] for part in parts))  # type: ignore[arg-type]  # one is added


def _resized(map_HWC: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map enlarged to (width, height): bicubically up to four times its size, from there on linearly, to be fast."""
    height, width = map_HWC.shape[:2]
    if min(size) < min(height, width):
        return np.asarray(cv2.resize(map_HWC, size, interpolation=cv2.INTER_AREA))
    if min(size) <= _CUBIC_FACTOR * max(height, width):
        return np.asarray(cv2.resize(map_HWC, size, interpolation=cv2.INTER_CUBIC))
    fine = (_CUBIC_FACTOR * width, _CUBIC_FACTOR * height)
    return np.asarray(cv2.resize(cv2.resize(map_HWC, fine, interpolation=cv2.INTER_CUBIC), size))


def _three(map_BT1HW: Tensor | None) -> Tensor | None:
    """The same for each of R, G and B: so OpenCV multiplies it fastest."""
    return None if map_BT1HW is None else map_BT1HW.expand(-1, -1, 3, -1, -1)


def _fades(box: Box, height: int, width: int) -> list[tuple[tuple[slice, ...], np.ndarray]]:
    """The strips of a box along those of its sides that lie inside the picture, and weights that rise from 0 to 1."""
    fades: list[tuple[tuple[slice, ...], np.ndarray]] = []
    sides = ((box.top, box.bottom, height), (box.left, box.right, width))
    for axis, (start, end, length) in enumerate(sides):
        wide = round(FEATHER * (end - start))
        ramp = np.sin(np.pi / 2 * (np.arange(wide, dtype=np.float32) + 0.5) / max(1, wide)) ** 2
        shaped = ramp.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        whole = (slice(None),) * axis
        if start > 0:
            fades.append(((*whole, slice(0, wide)), shaped))
        if end < length and wide:
            fades.append(((*whole, slice(-wide, None)), np.flip(shaped, axis)))
    return fades
