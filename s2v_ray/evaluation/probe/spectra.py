"""What the probe hears: several log-mel spectra a frame, as a sound encoder computes them."""

from s2v_ray.models.sound_encoder import SoundEncoder

_HOP_SECONDS = 0.01
_WINDOW_HOPS = 4
BANDS = 40


def hops_per_frame(samples_per_frame: int, sample_rate: int) -> int:
    """How many equal hops of whole samples a frame has: those nearest to 10 ms."""
    divisors = [count for count in range(1, samples_per_frame + 1) if samples_per_frame % count == 0]
    return min(divisors, key=lambda count: abs(samples_per_frame / count - _HOP_SECONDS * sample_rate))


def probe_ears(samples_per_frame: int, sample_rate: int) -> SoundEncoder:
    """A sound encoder whose `spectra` are those of the probe: 40 bands of each hop of a frame, one after the other."""
    return SoundEncoder(
        sample_rate=sample_rate,
        samples_per_frame=samples_per_frame,
        spectrogram="log_mel",
        stft_window_frames=_WINDOW_HOPS,
        mel_bands=BANDS,
        hidden=1,  # of an LSTM that is not used
        spectra_per_frame=hops_per_frame(samples_per_frame, sample_rate),
    )
