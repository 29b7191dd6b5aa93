"""From stored bytes to the input of networks and back: scale, crop and size."""

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# The paper crops 256 out of 286 pixels before it resizes to 64.
_PAPER_STORED, _PAPER_CROP = 286, 256


def crop_size(stored_size: int) -> int:
    """The side of the square that is cropped from a stored frame: the paper's 256 out of 286."""
    return round(stored_size * _PAPER_CROP / _PAPER_STORED)


def stored_size_for(resolution: int) -> int:
    """The stored size whose crop has `resolution` pixels: 72 for 64."""
    return round(resolution * _PAPER_STORED / _PAPER_CROP)


def to_float(frames_THWC: Tensor) -> Tensor:
    """uint8 [..., H, W, C] in 0..255 to float [..., C, H, W] in [-1, 1]."""
    return frames_THWC.movedim(-1, -3).float() / 127.5 - 1


def to_bytes(video_TCHW: Tensor) -> Tensor:
    """Float [..., C, H, W], clamped to [-1, 1], to uint8 [..., H, W, C]."""
    return ((video_TCHW.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(-3, -1)


def wave_to_float(wave: Tensor) -> Tensor:
    """int16 samples to float in [-1, 1)."""
    return wave.float() / 32768


def resize(video_BTCHW: Tensor, resolution: int) -> Tensor:
    """Square frames [..., C, H, W] to `resolution`, antialiased; unchanged if they have it already."""
    if video_BTCHW.shape[-1] == resolution:
        return video_BTCHW
    flat = video_BTCHW.flatten(0, -4) if video_BTCHW.dim() > 4 else video_BTCHW
    small = functional.interpolate(flat, size=(resolution, resolution), mode="bilinear", antialias=True)
    return small.reshape(*video_BTCHW.shape[:-2], resolution, resolution)


def resize_bytes(frames_THWC: np.ndarray, side: int) -> Tensor:
    """Square frames uint8 [T, S, S, 3] to `side`, antialiased: uint8 [T, side, side, 3]; the same if they have it."""
    if frames_THWC.shape[1] == side:
        return torch.from_numpy(frames_THWC)
    return torch.from_numpy(
        np.stack([cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames_THWC])
    )


def motion_thumbnails(frames_THWC: np.ndarray, side: int) -> np.ndarray:
    """Stored frames uint8 [T, S, S, 3] as grey thumbnails of `side` pixels, relative to the mean one: [T, side²].

    Grey is the mean of R, G and B in [-1, 1]. A side of 0 gives [0, 0].
    """
    if not side:
        return np.zeros((0, 0), np.float32)
    small_TPC = np.stack([cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames_THWC])
    grey_TP: np.ndarray = small_TPC.mean(axis=3, dtype=np.float32).reshape(len(small_TPC), -1) / 127.5
    grey_TP -= grey_TP.mean(axis=0)
    return grey_TP


def centre_crop(frames_THWC: np.ndarray, resolution: int) -> Tensor:
    """Stored frames uint8 [T, S, S, 3] as evaluation and generation use them: float [T, 3, R, R] in [-1, 1]."""
    stored = frames_THWC.shape[1]
    size = crop_size(stored)
    edge = (stored - size) // 2
    square = torch.from_numpy(np.ascontiguousarray(frames_THWC[:, edge : edge + size, edge : edge + size]))
    return resize(to_float(square), resolution)
