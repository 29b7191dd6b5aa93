"""What the probe hears: several log-mel spectra a frame."""

import torchaudio
from torch import Tensor
from torch.nn import functional

_HOP_SECONDS, _WINDOW_SECONDS = 0.01, 0.025
BANDS, _LOWEST_HERTZ = 40, 30.0
_BINS_SIZE = 2048  # samples; padded with zeros, so that low bands are not narrower than a bin
_SILENCE = 1e-5


def hops_per_frame(samples_per_frame: int, sample_rate: int) -> int:
    """How many equal hops of whole samples a frame has: those nearest to 10 ms."""
    divisors = [count for count in range(1, samples_per_frame + 1) if samples_per_frame % count == 0]
    return min(divisors, key=lambda count: abs(samples_per_frame / count - _HOP_SECONDS * sample_rate))


def log_mel(wave_BS: Tensor, *, sample_rate: int, samples_per_frame: int) -> Tensor:
    """Samples [B, S] in [-1, 1], S a multiple of `samples_per_frame`, to log-mel spectra [B, T, D].

    D are the 40 bands of each of a frame's hops, one after the other; a window is centred on the middle of its hop.
    """
    hops = hops_per_frame(samples_per_frame, sample_rate)
    hop, window = samples_per_frame // hops, round(_WINDOW_SECONDS * sample_rate)
    size = max(_BINS_SIZE, window)
    mel = torchaudio.transforms.MelSpectrogram(
        sample_rate,
        n_fft=size,
        win_length=window,
        hop_length=hop,
        f_min=_LOWEST_HERTZ,
        n_mels=BANDS,
        center=False,
    )
    beyond = size - hop
    power_BFH: Tensor = mel(functional.pad(wave_BS, (beyond // 2, beyond - beyond // 2)))
    spectra_BTD: Tensor = (power_BFH + _SILENCE).log10().transpose(1, 2).unflatten(1, (-1, hops)).flatten(2)
    return spectra_BTD
