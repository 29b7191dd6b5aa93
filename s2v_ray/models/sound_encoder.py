"""SE of the paper: a sound to one feature vector per frame."""

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional


class SoundEncoder(nn.Module):
    """Per-frame spectra Sp_1..N through a bidirectional LSTM with zero initial states: Sf_1..N.

    The hop is one frame period. The analysis window spans `stft_window_frames` of them, centred on the middle of the
    frame, so that S samples give exactly S / samples_per_frame spectra. `spectrogram` is "linear" (magnitudes, as in
    the paper) or "log_mel" (`mel_bands` bands).
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        samples_per_frame: int,
        spectrogram: str,
        stft_window_frames: int,
        mel_bands: int,
        hidden: int,
    ) -> None:
        super().__init__()
        self.samples_per_frame = samples_per_frame
        window = samples_per_frame * stft_window_frames
        beyond = window - samples_per_frame
        self.padding = (beyond // 2, beyond - beyond // 2)  # before and after a frame
        self.logarithmic = spectrogram == "log_mel"
        if self.logarithmic:
            self.spectrogram: nn.Module = torchaudio.transforms.MelSpectrogram(
                sample_rate, n_fft=window, hop_length=samples_per_frame, center=False, n_mels=mel_bands, f_min=30.0
            )
            bins = mel_bands
        else:
            self.spectrogram = torchaudio.transforms.Spectrogram(
                n_fft=window, hop_length=samples_per_frame, center=False, power=1, normalized="frame_length"
            )
            bins = window // 2 + 1
        self.lstm = nn.LSTM(bins, hidden, batch_first=True, bidirectional=True)
        self.features = 2 * hidden

    def forward(self, wave_BS: Tensor) -> Tensor:
        """Samples [B, S] in [-1, 1], S a multiple of samples_per_frame, to features [B, T, D]."""
        features_BTD: Tensor = self.lstm(self.spectra(wave_BS))[0]
        return features_BTD

    def spectra(self, wave_BS: Tensor) -> Tensor:
        """One spectrum per frame, [B, T, F], of samples [B, S]."""
        if wave_BS.dim() != 2 or wave_BS.shape[1] % self.samples_per_frame or not wave_BS.shape[1]:
            raise ValueError(
                f"wave_BS is {tuple(wave_BS.shape)}, but must be [B, S] with S a multiple of {self.samples_per_frame}."
            )
        with torch.autocast(wave_BS.device.type, enabled=False):  # FFTs want float32
            padded = functional.pad(wave_BS, self.padding)
            spectra_BFT: Tensor = self.spectrogram(padded)
            if self.logarithmic:
                # Silence is -1, full-scale noise about 2.
                spectra_BFT = (spectra_BFT + 1e-5).log10() / 5
        return spectra_BFT.transpose(1, 2)
