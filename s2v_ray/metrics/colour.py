"""Has the video kept its colours?"""

import torch
from torch import Tensor
from torch.nn import functional

from s2v_ray.metrics.checks import checked_pair

_PATCHES = 8  # a side
# Linear sRGB to XYZ (IEC 61966-2-1), each row divided by its sum, so that white, D65, is (1, 1, 1).
_RGB_TO_XYZ = torch.tensor(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], dtype=torch.float32
)
_RGB_TO_WHITE = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(1, keepdim=True)


def colour_error(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """Mean distance in chroma, √(Δa*² + Δb*²) of CIELAB (CIE 1976, white D65): 0 for the real video.

    Differences from about 2 are seen; pure red and pure green are 167 apart. Compared are the mean colours, of
    linear light, of 8 x 8 patches of each frame (fewer in smaller pictures), so that texture and small shifts
    don't count, and without lightness, which is L1's.
    Videos [T, 3, H, W] sRGB, float in [-1, 1]. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    if real_TCHW.shape[1] != 3:
        raise ValueError(f"The videos have {real_TCHW.shape[1]} channels; colours have 3.")
    difference_T2HW = _chroma(generated_TCHW) - _chroma(real_TCHW)
    return difference_T2HW.square().sum(1).sqrt().mean().item()


def _chroma(video_TCHW: Tensor) -> Tensor:
    """a* and b* [T, 2, h, w] of the patches."""
    srgb = (video_TCHW.float().clamp(-1, 1) + 1) / 2  # float32: the power takes most of the time
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    patches = min(_PATCHES, video_TCHW.shape[-2]), min(_PATCHES, video_TCHW.shape[-1])
    small_TCHW = functional.adaptive_avg_pool2d(linear, patches)
    xyz = torch.einsum("xc,tchw->txhw", _RGB_TO_WHITE, small_TCHW)
    root = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=0) ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.unbind(1)
    return torch.stack([500 * (x - y), 200 * (y - z)], dim=1)
