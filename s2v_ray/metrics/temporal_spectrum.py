"""Does the video change as quickly and as slowly as the real one, whenever it does?"""

import torch
from torch import Tensor
from torch.nn import functional

from s2v_ray.metrics.checks import checked_pair

_PATCHES = 8  # a side
# The power of a change by one of 255 levels: what lies below is rounding.
_FLOOR = (2 / 255) ** 2


def temporal_spectrum_distance(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """Log-spectral distance (Gray and Markel 1976) over time, in dB: 0 for the real video.

    The mean grey of each of 8 x 8 patches (fewer in smaller pictures) is a signal over time. Of its power spectrum,
    without the mean, with a Hann window, the distance is the root of the mean, over frequencies, of the squared
    difference in dB, above a floor of one of 255 levels; then it is averaged over patches. Phase, thus timing, counts
    nothing: videos too smooth in time, or with flicker, are far off.
    Videos [T, C, H, W] float in [-1, 1], T >= 4. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW, least_frames=4)
    difference_FN = _decibels(generated_TCHW) - _decibels(real_TCHW)
    return difference_FN.square().mean(0).sqrt().mean().item()


def _decibels(video_TCHW: Tensor) -> Tensor:
    """Power spectra [F, N] in dB of the N patches, without frequency 0."""
    grey_T1HW = video_TCHW.mean(1, keepdim=True)
    patches = min(_PATCHES, grey_T1HW.shape[-2]), min(_PATCHES, grey_T1HW.shape[-1])
    signal_TN = functional.adaptive_avg_pool2d(grey_T1HW, patches).flatten(1)
    window_T1 = torch.hann_window(len(signal_TN), dtype=signal_TN.dtype)[:, None]
    spectrum_FN = torch.fft.rfft((signal_TN - signal_TN.mean(0)) * window_T1, dim=0)[1:]
    # A sinusoid of amplitude 1 has power 1.
    power_FN = (2 * spectrum_FN.abs() / window_T1.sum()).square()
    return 10 * (power_FN + _FLOOR).log10()
