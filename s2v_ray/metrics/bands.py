"""How loud a sound is, frame by frame and pitch by pitch."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

# What is quieter counts as silent.
FLOOR_DB = -70.0
_BANDS, _LOWEST_HERTZ = 24, 60.0


def band_levels(wave_S: Tensor, *, frames: int, sample_rate: int) -> Tensor:
    """Levels [T, B] in dB of full scale, at least -70, of a sound's bands in each of `frames` frames, float32.

    Frame t's level is that of its own S / frames samples under a Hann window. The bands are 24, evenly spaced in pitch
    from 60 Hz to half the sample rate; those narrower than the spectrum's bins are left out.
    The sound [S] is float in [-1, 1], S a multiple of `frames`. Raises ValueError for any other input.
    """
    if wave_S.ndim != 1 or not wave_S.is_floating_point() or frames < 1 or len(wave_S) == 0 or len(wave_S) % frames:
        raise ValueError(
            f"wave_S is {wave_S.dtype} {tuple(wave_S.shape)}; it must be floats [S], S a multiple of {frames} frames."
        )
    loudest = wave_S.abs().max().item()
    if not loudest <= 1:
        raise ValueError(f"wave_S reaches {loudest:g}; it must lie in [-1, 1].")
    wave_TS = wave_S.detach().to("cpu", torch.float32).reshape(frames, -1)
    size = wave_TS.shape[1]
    # Scaled so that a sinusoid of amplitude 1 has half a unit of power in all, as it has in time.
    power_TF = torch.fft.rfft(wave_TS * torch.hann_window(size), dim=1).abs().square() * (16 / 3 / size**2)
    power_TB = power_TF @ _bands(size, sample_rate)
    level_TB: Tensor = 10 * (power_TB + 10 ** (FLOOR_DB / 10)).log10()
    return level_TB


@cache
def _bands(size: int, sample_rate: int) -> Tensor:
    """Which of the frequencies of `size` samples [F] is in which band: a matrix [F, B] of 0 and 1."""
    hertz_F = torch.fft.rfftfreq(size, 1 / sample_rate)
    heard_F = hertz_F >= _LOWEST_HERTZ
    octave_F = torch.log2(hertz_F[heard_F] / _LOWEST_HERTZ)
    band_F = (octave_F / octave_F[-1] * _BANDS).long().clamp(max=_BANDS - 1)
    bands, index_F = torch.unique(band_F, return_inverse=True)
    member_FB = torch.zeros(len(hertz_F), len(bands))
    member_FB[heard_F] = functional.one_hot(index_F, len(bands)).float()
    return member_FB
