"""SE of the paper: a sound to one feature vector per frame."""

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

THUMBNAIL_SIDE = 16  # of the thumbnails of the frames, in pixels
_KERNEL, _SLOPE = 5, 0.2


class SoundEncoder(nn.Module):
    """Spectra Sp_1..N of the frames through a bidirectional LSTM with zero initial states: Sf_1..N.

    A frame has `spectra_per_frame` spectra, joined; the hop is that part of a frame period. The analysis window spans
    `stft_window_frames` hops, centred on the middle of its own, so that S samples give exactly S / samples_per_frame
    frames. `spectrogram` is "linear" (magnitudes, as in the paper) or "log_mel" (`mel_bands` bands). `convolutions`
    over time, each over five frames, can precede the LSTM. With `thumbnails`, what the sound says of all frames can be
    supervised without the generator, see `thumbnails`.
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
        spectra_per_frame: int = 1,
        convolutions: int = 0,
        convolution_channels: int = 64,
        thumbnails: bool = False,
    ) -> None:
        super().__init__()
        self.samples_per_frame, self.spectra_per_frame = samples_per_frame, spectra_per_frame
        hop = samples_per_frame // spectra_per_frame
        window = hop * stft_window_frames
        self.padding = ((window - hop) // 2, window - hop - (window - hop) // 2)  # before and after a hop
        self.logarithmic = spectrogram == "log_mel"
        with torch.device("cpu"):  # also where the rest is built on "meta", on which torchaudio makes no filters
            if self.logarithmic:
                self.spectrogram: nn.Module = torchaudio.transforms.MelSpectrogram(
                    sample_rate, n_fft=window, hop_length=hop, center=False, n_mels=mel_bands, f_min=30.0
                )
            else:
                self.spectrogram = torchaudio.transforms.Spectrogram(
                    n_fft=window, hop_length=hop, center=False, power=1, normalized="frame_length"
                )
        bins = mel_bands if self.logarithmic else window // 2 + 1
        inputs = bins * spectra_per_frame
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            layers += [nn.Conv1d(inputs, convolution_channels, _KERNEL, padding=_KERNEL // 2), nn.LeakyReLU(_SLOPE)]
            inputs = convolution_channels
        self.convolutions = nn.Sequential(*layers)
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
        self.features = 2 * hidden
        self.to_thumbnail = nn.Linear(self.features, THUMBNAIL_SIDE**2) if thumbnails else None

    def forward(self, wave_BS: Tensor) -> Tensor:
        """Samples [B, S] in [-1, 1], S a multiple of samples_per_frame, to features [B, T, D]."""
        spectra_BTF = self.spectra(wave_BS)
        if len(self.convolutions):
            spectra_BTF = self.convolutions(spectra_BTF.transpose(1, 2)).transpose(1, 2)
        features_BTD: Tensor = self.lstm(spectra_BTF)[0]
        return features_BTD

    def thumbnails(self, sound_BTD: Tensor) -> Tensor:
        """From features, the grey thumbnails of the frames relative to the clip's mean one, [B, T, 256] in [-2, 2]."""
        if self.to_thumbnail is None:
            raise ValueError("thumbnails is False, so that there is nothing to predict them.")
        thumbnail_BTP: Tensor = self.to_thumbnail(sound_BTD)
        return thumbnail_BTP

    def spectra(self, wave_BS: Tensor) -> Tensor:
        """What is heard of each frame, [B, T, F], of samples [B, S]."""
        if wave_BS.dim() != 2 or wave_BS.shape[1] % self.samples_per_frame or not wave_BS.shape[1]:
            raise ValueError(
                f"wave_BS is {tuple(wave_BS.shape)}, but must be [B, S] with S a multiple of {self.samples_per_frame}."
            )
        with torch.autocast(wave_BS.device.type, enabled=False):  # FFTs want float32
            padded = functional.pad(wave_BS, self.padding)
            spectra_BFN: Tensor = self.spectrogram(padded)
            if self.logarithmic:
                # Silence is -1, full-scale noise about 2.
                spectra_BFN = (spectra_BFN + 1e-5).log10() / 5
        spectra_BFTN = torch.unflatten(spectra_BFN, 2, (-1, self.spectra_per_frame))
        return spectra_BFTN.permute(0, 2, 3, 1).flatten(2)
