"""High dynamic range and wide colours made sRGB, by the published formulas.

The numbers of primaries and transfer curves are those of ITU-T H.273, as files name them.
"""

from functools import cache

import numpy as np

_BT709, _UNSPECIFIED, _BT2020, _DCI_P3, _DISPLAY_P3 = 1, 2, 9, 11, 12
_LINEAR, _PQ, _HLG = 8, 16, 18
# x and y of red, green and blue. All are taken with white D65, DCI P3 too, so that what is grey stays grey.
_PRIMARIES = {
    _BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),  # also sRGB's
    _BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    _DCI_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    _DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
# Reference white, which becomes sRGB's (BT.2408, table 1): what is brighter is clipped.
_WHITE_NITS = 203
_HLG_WHITE = 0.75


def is_wide(primaries: int, transfer: int) -> bool:
    """Whether colours of these primaries and transfer curve are more than small differences away from sRGB.

    The primaries and curves of standard video are taken as sRGB's, as players do.
    """
    return transfer in (_LINEAR, _PQ, _HLG) or primaries in (_BT2020, _DCI_P3, _DISPLAY_P3)


def to_srgb(picture_HWC: np.ndarray, primaries: int, transfer: int) -> np.ndarray:
    """A picture uint16 [H, W, 3] of full range, with these primaries and transfer curve, as sRGB uint8.

    Reference white (BT.2408) becomes white. Colours outside sRGB are clipped per channel.
    """
    if primaries == _UNSPECIFIED and transfer in (_PQ, _HLG):
        primaries = _BT2020
    matrix = _matrix(primaries if primaries in _PRIMARIES else _BT709)
    srgb_HWC = np.empty(picture_HWC.shape, np.uint8)
    for rows in range(0, len(picture_HWC), 64):  # so that a large picture's floats don't fill the memory
        linear_HWC = _linear(transfer)[picture_HWC[rows : rows + 64]] @ matrix.T
        srgb_HWC[rows : rows + 64] = np.rint(255 * _srgb_curve(np.clip(linear_HWC, 0, 1)))
    return srgb_HWC


@cache
def _linear(transfer: int) -> np.ndarray:
    """The light of each of the 65,536 values, 1 for reference white: float32."""
    value = np.linspace(0, 1, 65536)
    if transfer == _LINEAR:
        light = value
    elif transfer == _PQ:
        light = _pq_nits(value) / _WHITE_NITS
    elif transfer == _HLG:
        light = (_hlg_scene(value) / _hlg_scene(np.array(_HLG_WHITE))) ** 1.2
    else:
        light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _pq_nits(value: np.ndarray) -> np.ndarray:
    """The EOTF of perceptual quantisation (BT.2100, table 4)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = value ** (1 / m2)
    nits: np.ndarray = 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return nits


def _hlg_scene(value: np.ndarray) -> np.ndarray:
    """The inverse OETF of hybrid log-gamma (BT.2100, table 5).

    Its OOTF, the power of 1.2 for a display of 1,000 nits, is applied to each channel, as zimg and so FFmpeg's zscale
    do by default: applied to the luminance, saturated colours would come out darker than what SDR was made HLG.
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)


def _srgb_curve(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** np.float32(1 / 2.4) - 0.055)


@cache
def _matrix(primaries: int) -> np.ndarray:
    """From linear RGB of these primaries to linear sRGB: float32 [3, 3]. (For BT.2020, it is that of BT.2407.)"""
    matrix: np.ndarray = np.linalg.inv(_to_xyz(_BT709)) @ _to_xyz(primaries)
    return matrix.astype(np.float32)


def _to_xyz(primaries: int) -> np.ndarray:
    """From linear RGB to CIE XYZ [3, 3] (SMPTE RP 177)."""
    columns = np.array([_xyz(*xy) for xy in _PRIMARIES[primaries]]).T
    matrix: np.ndarray = columns * np.linalg.solve(columns, _xyz(*_D65))
    return matrix


def _xyz(x: float, y: float) -> np.ndarray:
    """The XYZ of a chromaticity, with Y = 1."""
    return np.array([x / y, 1, (1 - x - y) / y])
