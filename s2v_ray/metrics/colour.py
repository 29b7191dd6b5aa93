"""Has the video kept its colours?"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from s2v_ray.metrics.checks import checked_pair
from s2v_ray.metrics.memo import once_per_video

_PATCHES = 8  # a side
# Linear sRGB to XYZ (IEC 61966-2-1), each row divided by its sum, so that white, D65, is (1, 1, 1).
_RGB_TO_XYZ = torch.tensor(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], dtype=torch.float32
)
_RGB_TO_WHITE = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(1, keepdim=True)


def colour_error(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """Mean difference in chroma and hue, CIEDE2000 without its lightness: 0 for the real video.

    Differences from about 1 are seen side by side; pure red and pure green are 82 apart. Compared are the mean colours,
    of linear light, of 8 x 8 patches of each frame (fewer in smaller frames), so that texture and small shifts don't
    count, and without lightness, which is L1's.
    Videos [T, 3, H, W] sRGB, float in [-1, 1]. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
    if real_TCHW.shape[1] != 3:
        raise ValueError(f"The videos have {real_TCHW.shape[1]} channels; colours have 3.")
    return chroma_difference(_chroma(generated_TCHW), _chroma(real_TCHW)).mean().item()


def chroma_difference(one_T2HW: Tensor, other_T2HW: Tensor) -> Tensor:
    """Differences [T, H, W] of colours a* and b* [T, 2, H, W] of CIELAB that are equally light, by CIEDE2000.

    The distance √(Δa*² + Δb*²) of CIE 1976 overrates strong colours, purple most. Formulas and names are those
    of Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula", equations 2 to 22.
    """
    mean_chroma = (one_T2HW.norm(dim=1) + other_T2HW.norm(dim=1)) / 2
    stretch = 1.5 - 0.5 * _strong(mean_chroma)
    (a1, b1), (a2, b2) = one_T2HW.unbind(1), other_T2HW.unbind(1)
    c1, c2 = torch.hypot(stretch * a1, b1), torch.hypot(stretch * a2, b2)
    h1, h2 = torch.atan2(b1, stretch * a1), torch.atan2(b2, stretch * a2)
    turn = torch.remainder(h2 - h1 + math.pi, 2 * math.pi) - math.pi
    chroma, hue = (c1 + c2) / 2, h1 + turn / 2  # where one is grey, its hue makes no difference below
    weight = (
        1
        - 0.17 * (hue - math.radians(30)).cos()
        + 0.24 * (2 * hue).cos()
        + 0.32 * (3 * hue + math.radians(6)).cos()
        - 0.20 * (4 * hue - math.radians(63)).cos()
    )
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    by_hue = 2 * (c1 * c2).sqrt() * (turn / 2).sin() / (1 + 0.015 * chroma * weight)
    degrees = torch.rad2deg(torch.remainder(hue, 2 * math.pi))
    rotation = torch.deg2rad(60 * torch.exp(-(((degrees - 275) / 25) ** 2))).sin() * 2 * _strong(chroma)
    return (by_chroma**2 + by_hue**2 - rotation * by_chroma * by_hue).clamp(min=0).sqrt()


def _strong(chroma: Tensor) -> Tensor:
    """0 for grey, towards 1 for strong colours."""
    return (chroma**7 / (chroma**7 + 25.0**7)).sqrt()


@once_per_video
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
