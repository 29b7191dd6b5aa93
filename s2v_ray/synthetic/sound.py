"""Noise, envelopes and PCM for the sounds of the synthetic domains."""

import numpy as np


def filtered_noise(
    rng: np.random.Generator, sample_count: int, sample_rate: int, low_hz: float, high_hz: float
) -> np.ndarray:
    """White noise with second-order Butterworth slopes at `low_hz` and `high_hz`: float64 [sample_count], RMS 1."""
    hz = np.fft.rfftfreq(sample_count, 1 / sample_rate)
    gain = hz**2 / np.sqrt(hz**4 + low_hz**4) / np.sqrt(1 + (hz / high_hz) ** 4)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(sample_count)) * gain, sample_count)
    return np.asarray(noise / (noise.std() + 1e-12))


def strike(seconds: np.ndarray, attack_seconds: float, decay_seconds: float) -> np.ndarray:
    """The envelope of a strike at 0: 0 before, a linear rise to 1, then exp(−t / decay)."""
    after = np.maximum(seconds, 0.0)
    decay = np.exp(-np.maximum(after - attack_seconds, 0.0) / decay_seconds)
    return np.asarray(np.minimum(after / attack_seconds, 1.0) * decay)


def add_at(wave: np.ndarray, sound: np.ndarray, start_sample: int) -> None:
    """Add `sound` to `wave` in place from `start_sample` on, without what lies outside `wave`."""
    start, end = max(start_sample, 0), min(start_sample + len(sound), len(wave))
    if start < end:
        wave[start:end] += sound[start - start_sample : end - start_sample]


def to_pcm16(wave: np.ndarray) -> np.ndarray:
    """Float samples as int16 PCM, full scale at 1.

    tanh limits peaks, where scaling the whole would give the same loudness another meaning in each source.
    """
    return np.asarray(np.round(np.tanh(wave) * 32767), np.int16)
