"""Songs of the vowels a, i, u, e, o, and a voice that sings them.

The voice is a source and a filter: glottal pulses at the speaker's pitch, each answered by the impulse response
of five formant resonators in cascade (Fant, Acoustic Theory of Speech Production, 1960). The formants of the
vowels are the men's means of Peterson & Barney, "Control methods used in a study of the vowels", J. Acoust. Soc.
Am. 24 (1952), table II, scaled by the speaker's vocal tract.
"""

from dataclasses import dataclass

import numpy as np

from s2v_ray.synthetic.sound import to_pcm16

VOWELS = "aiueo"
CLOSED = 5  # the state after the five vowels: lips shut, no voice

# F1, F2, F3 of ɑ, i, u, ɛ, ɔ in hertz (Peterson & Barney, table II, men), with the usual 3.5 and 4.5 kHz above.
# The last row, closed lips, is where the formants move from and to while the voice fades.
_FORMANTS_VK = np.array(
    [
        [730, 1090, 2440, 3500, 4500],
        [270, 2290, 3010, 3500, 4500],
        [300, 870, 2240, 3500, 4500],
        [530, 1840, 2480, 3500, 4500],
        [570, 840, 2410, 3500, 4500],
        [250, 1100, 2300, 3500, 4500],
    ],
    dtype=float,
)
_BANDWIDTHS_K = np.array([80, 90, 120, 175, 250], dtype=float)  # hertz

_FULL_LOUDNESS_RMS = 0.12


@dataclass(frozen=True)
class Song:
    """What the speaker sings: E states, with a smooth transition around each boundary between two of them."""

    states: np.ndarray  # [E], index into VOWELS, or CLOSED
    loudness: np.ndarray  # [E], 0 where closed, otherwise (0, 1]
    boundary_seconds: np.ndarray  # [E − 1], between one state and the next
    transition_seconds: np.ndarray  # [E − 1]
    pitch_hertz: float
    tract_scale: float  # multiplies all formants
    glide_seed: int

    def glide(self, targets_EK: np.ndarray, seconds_T: np.ndarray) -> np.ndarray:
        """The states' targets over time [T, K]: held, and smoothly interpolated around the boundaries."""
        if len(targets_EK) == 1:
            return np.repeat(targets_EK, len(seconds_T), axis=0)
        ends = self.boundary_seconds + self.transition_seconds / 2
        # Transitions are shorter than states, so at most the next unfinished one is under way.
        next_T = np.minimum(np.searchsorted(ends, seconds_T), len(ends) - 1)
        x_T = np.clip((seconds_T - ends[next_T]) / self.transition_seconds[next_T] + 1, 0, 1)
        weight_T1 = (x_T**2 * (3 - 2 * x_T))[:, None]
        return np.asarray(targets_EK[next_T] * (1 - weight_T1) + targets_EK[next_T + 1] * weight_T1)


def compose(source_seed: int, seconds: float) -> Song:
    """The song of `source_seed`, at least `seconds` long."""
    rng = np.random.default_rng([source_seed, 1])
    mean_vowel_seconds = rng.uniform(0.3, 0.48)
    rest_chance = rng.uniform(0.3, 0.6)
    states, loudnesses, boundaries = [CLOSED], [0.0], [rng.uniform(0.05, 0.4)]
    while boundaries[-1] < seconds:
        rests = states[-1] != CLOSED and rng.random() < rest_chance
        choices = [vowel for vowel in range(len(VOWELS)) if vowel != states[-1]]
        states.append(CLOSED if rests else int(rng.choice(choices)))
        loudnesses.append(0.0 if rests else rng.uniform(0.4, 1.0))
        length = rng.uniform(0.15, 0.5) if rests else np.clip(mean_vowel_seconds * rng.uniform(0.5, 1.5), 0.2, 0.6)
        boundaries.append(boundaries[-1] + length)
    # A shorter vocal tract goes with a higher voice.
    pitch_hertz = 90 * (300 / 90) ** rng.random()
    return Song(
        states=np.array(states),
        loudness=np.array(loudnesses),
        boundary_seconds=np.array(boundaries[:-1]),
        transition_seconds=rng.uniform(0.06, 0.1, len(states) - 1),
        pitch_hertz=pitch_hertz,
        tract_scale=0.95 + 0.2 * np.log(pitch_hertz / 90) / np.log(300 / 90) + rng.uniform(-0.02, 0.02),
        glide_seed=int(rng.integers(2**32)),
    )


def sing(song: Song, sample_count: int, sample_rate: int) -> np.ndarray:
    """The song's sound, int16 [sample_count]."""
    pulse_seconds_P = _glottal_pulses(song, sample_count / sample_rate)
    loudness_P = song.glide(song.loudness[:, None], pulse_seconds_P)[:, 0]
    formants_PK = song.glide(_FORMANTS_VK[song.states] * song.tract_scale, pulse_seconds_P)
    voiced_P = loudness_P > 1e-3
    wave = _resonate(pulse_seconds_P[voiced_P], formants_PK[voiced_P], loudness_P[voiced_P], sample_rate)
    wave = np.pad(wave, (0, max(0, sample_count - len(wave))))[:sample_count]
    # Pulses have unit energy, so their number per second sets the level.
    return to_pcm16(_FULL_LOUDNESS_RMS * np.sqrt(sample_rate / song.pitch_hertz) * wave)


def _glottal_pulses(song: Song, seconds: float) -> np.ndarray:
    """Times of the glottal pulses in seconds [P]: the pitch glides by about a semitone, with a light vibrato."""
    rng = np.random.default_rng(song.glide_seed)
    grid_seconds = np.arange(int(seconds * 1000) + 2) / 1000
    semitones = np.zeros_like(grid_seconds)
    for hertz, depth in ((rng.uniform(0.1, 0.25), 1.0), (rng.uniform(0.3, 0.6), 0.6), (rng.uniform(4.5, 6), 0.15)):
        semitones += depth * np.sin(2 * np.pi * (hertz * grid_seconds + rng.random()))
    cycles = np.cumsum(song.pitch_hertz * 2 ** (semitones / 12)) / 1000
    return np.interp(np.arange(1, int(cycles[-1])), cycles, grid_seconds)


def _resonate(
    pulse_seconds_P: np.ndarray, formants_PK: np.ndarray, loudness_P: np.ndarray, sample_rate: int
) -> np.ndarray:
    """The sum of the vocal tract's responses to glottal pulses, float [S], each of energy loudness²."""
    if len(pulse_seconds_P) == 0:
        return np.zeros(0)
    length = 1 << int(np.ceil(np.log2(0.04 * sample_rate)))  # formants have decayed after 40 ms
    hertz_F = np.fft.rfftfreq(length, 1 / sample_rate)
    hertz_F = hertz_F[hertz_F < 7000]  # hardly any energy lies above
    # Glottal flow falls by 12 dB per octave above 100 Hz, and radiation from the lips rises by 6.
    source_F = 1j * hertz_F / (1 + 1j * hertz_F / 100) ** 2
    spectra_PF = np.tile(source_F, (len(pulse_seconds_P), 1))
    for formant_P, bandwidth in zip(formants_PK.T, _BANDWIDTHS_K, strict=True):
        square_P1 = formant_P[:, None] ** 2
        spectra_PF *= square_P1 / (square_P1 - hertz_F**2 + 1j * bandwidth * hertz_F)
    spectra_PF *= loudness_P[:, None] / np.linalg.norm(spectra_PF, axis=1, keepdims=True) * np.sqrt(length / 2)
    # A pulse starts between two samples, which is a phase: rounding its time would sound rough.
    start_P = np.floor(pulse_seconds_P * sample_rate).astype(int)
    delay_P1 = (pulse_seconds_P - start_P / sample_rate)[:, None]
    spectra_PF *= np.exp(-2j * np.pi * hertz_F * delay_P1)
    responses_PS = np.fft.irfft(spectra_PF, length)
    wave = np.zeros(start_P[-1] + length)
    for start, response_S in zip(start_P, responses_PS, strict=True):
        wave[start : start + length] += response_S
    return wave
