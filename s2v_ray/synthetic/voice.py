"""A vocal tract: formant resonators that answer glottal pulses (Fant, Acoustic Theory of Speech Production, 1960)."""

import numpy as np

_BANDWIDTHS_K = np.array([80, 90, 120, 175, 250], dtype=float)  # hertz


def answer_pulses(
    pulse_seconds_P: np.ndarray, formants_PK: np.ndarray, loudness_P: np.ndarray, sample_rate: int
) -> np.ndarray:
    """The sum of the vocal tract's answers to glottal pulses, float, each of energy loudness²."""
    if len(pulse_seconds_P) == 0:
        return np.zeros(0)
    length = 1 << int(np.ceil(np.log2(0.04 * sample_rate)))  # formants have died down after 40 ms
    hertz_F = np.fft.rfftfreq(length, 1 / sample_rate)
    hertz_F = hertz_F[hertz_F < 7000]  # next to nothing lies above
    # Glottal flow falls by 12 dB an octave above 100 Hz, and radiation from the lips rises by 6.
    source_F = 1j * hertz_F / (1 + 1j * hertz_F / 100) ** 2
    spectra_PF = np.tile(source_F, (len(pulse_seconds_P), 1))
    for formant_P, bandwidth in zip(formants_PK.T, _BANDWIDTHS_K, strict=True):
        square_P1 = formant_P[:, None] ** 2
        spectra_PF *= square_P1 / (square_P1 - hertz_F**2 + 1j * bandwidth * hertz_F)
    spectra_PF *= loudness_P[:, None] / np.linalg.norm(spectra_PF, axis=1, keepdims=True) * np.sqrt(length / 2)
    # The fraction of a sample by which a pulse is late, as a phase: whole samples alone would sound rough.
    start_P = np.floor(pulse_seconds_P * sample_rate).astype(int)
    late_P1 = (pulse_seconds_P - start_P / sample_rate)[:, None]
    spectra_PF *= np.exp(-2j * np.pi * hertz_F * late_P1)
    answers_PS = np.fft.irfft(spectra_PF, length)
    wave = np.zeros(start_P[-1] + length)
    for start, answer_S in zip(start_P, answers_PS, strict=True):
        wave[start : start + length] += answer_S
    return wave
