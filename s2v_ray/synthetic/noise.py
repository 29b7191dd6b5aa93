"""Noise, envelopes and PCM for the synthetic domains' sounds, and noise fields for their textures."""

import numpy as np


def filtered_noise(
    rng: np.random.Generator, sample_count: int, sample_rate: int, low_hz: float, high_hz: float
) -> np.ndarray:
    """White noise through second-order Butterworth slopes at `low_hz` and `high_hz`.

    Returns float64 [sample_count] of unit RMS.
    """
    hz = np.fft.rfftfreq(sample_count, 1 / sample_rate)
    gain = hz**2 / np.sqrt(hz**4 + low_hz**4) / np.sqrt(1 + (hz / high_hz) ** 4)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(sample_count)) * gain, sample_count)
    return noise / (noise.std() + 1e-12)


def strike(seconds: np.ndarray, attack_seconds: float, decay_seconds: float) -> np.ndarray:
    """The envelope of something struck at 0: zero before, a linear rise to one, then exp(−t / decay)."""
    after = np.maximum(seconds, 0.0)
    return np.minimum(after / attack_seconds, 1.0) * np.exp(-np.maximum(after - attack_seconds, 0.0) / decay_seconds)


def add_at(wave: np.ndarray, sound: np.ndarray, start_sample: int) -> None:
    """Add `sound` to `wave` in place from `start_sample` on, leaving out what lies outside of the wave."""
    begin, end = max(start_sample, 0), min(start_sample + len(sound), len(wave))
    if begin < end:
        wave[begin:end] += sound[begin - start_sample : end - start_sample]


def to_pcm16(wave: np.ndarray) -> np.ndarray:
    """Float samples as int16 PCM, full scale at one.

    Peaks are rounded off by tanh instead of scaling the whole: a loudness means the same in every source.
    """
    return np.round(np.tanh(wave) * 32767).astype(np.int16)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], periods: tuple[float, float]) -> np.ndarray:
    """A random texture, periodic in both axes, with about `periods` (down, across) blobs along each axis.

    Returns float32 `shape` of zero mean and unit standard deviation.
    """
    down, across = np.fft.fftfreq(shape[0], 1 / shape[0]), np.fft.rfftfreq(shape[1], 1 / shape[1])
    gain = np.exp(-0.5 * ((down[:, None] / periods[0]) ** 2 + (across[None, :] / periods[1]) ** 2))
    gain[0, 0] = 0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, shape)
    return (field / (field.std() + 1e-12)).astype(np.float32)
