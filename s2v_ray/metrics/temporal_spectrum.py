"""Does the video change as quickly and as slowly as the real one, whenever and wherever it does?"""

import torch
from torch import Tensor

from s2v_ray.metrics.checks import checked_pair
from s2v_ray.metrics.memo import once_per_video

# The power of a change by one of 255 levels: what lies below is rounding.
_FLOOR = (2 / 255) ** 2


def temporal_spectrum_distance(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """Log-spectral distance (Gray and Markel 1976) over time, in dB: 0 for the real video.

    Each pixel's channel is a signal over time, without its mean, under a Hann window; a video's spectrum is the mean of
    their power spectra, as one signal's alone is too noisy an estimate (Bartlett 1948). The distance is the root of the
    mean, over frequencies, of the squared difference in dB, above a floor of one of 255 levels. Phase and position, so
    timing and shape, do not count: videos too smooth in time, or with flicker, are far off.
    Videos [T, C, H, W] float in [-1, 1], T >= 4. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW, least_frames=4)
    return (_decibels(generated_TCHW) - _decibels(real_TCHW)).square().mean().sqrt().item()


@once_per_video
def _decibels(video_TCHW: Tensor) -> Tensor:
    """The power spectrum [F] in dB, without frequency 0."""
    signal_NT = video_TCHW.flatten(1).T.contiguous()  # FFTs of what is adjacent are faster
    window_T = torch.hann_window(len(video_TCHW), dtype=signal_NT.dtype)
    spectrum_NF = torch.fft.rfft((signal_NT - signal_NT.mean(1, keepdim=True)).mul_(window_T))[:, 1:]
    # A sinusoid of amplitude 1 has power 1.
    power_F = torch.view_as_real(spectrum_NF).square().sum(2).mean(0) * (2 / window_T.sum()).square()
    decibels_F: Tensor = 10 * (power_F + _FLOOR).log10()
    return decibels_F
