"""The room in which the sound is recorded: its noise, its reverberation, and distant sounds of something else."""

import numpy as np

from s2v_ray.synthetic.nuisance.levels import Nuisance
from s2v_ray.synthetic.sound import add_at, filtered_noise, strike, to_pcm16

_FFT_BLOCK = 4096  # lengths that are multiples of it have fast transforms
_PAUSE_SECONDS = 0.9  # between the starts of distant sounds, on average
_WALLS_HERTZ = (100, 6000)  # what walls send back
_STREAM = 3_000_000  # separates these streams from the scene's own, even for equal seeds


def disturbed_sound(wave: np.ndarray, nuisance: Nuisance, *, source_seed: int, sample_rate: int) -> np.ndarray:
    """The sound, int16 [S], as it is heard in a room; each of its sounds still starts at the same sample."""
    noise_rng, room_rng, distant_rng = (np.random.default_rng((source_seed, _STREAM, stream)) for stream in range(3))
    dry = np.arctanh(wave / 32768)  # undoes the limiting of peaks, which to_pcm16 does again
    rms = float(np.sqrt((dry**2).mean()))
    # What is far away reaches the microphone by way of the walls.
    distant = rms * _gain(nuisance.distant_sounds_db) * distant_sounds(distant_rng, len(wave), sample_rate)
    far = _gain(nuisance.reverberation_db) * dry + distant
    echoes = reverberation(room_rng, far, nuisance.reverberation_seconds, sample_rate)
    noise = rms * _gain(nuisance.room_noise_db) * filtered_noise(noise_rng, len(wave), sample_rate, 40, 600)
    return to_pcm16(dry + echoes + noise)


def reverberation(rng: np.random.Generator, wave: np.ndarray, seconds: float, sample_rate: int) -> np.ndarray:
    """What the walls of a room add to a sound [S], about as loud as it from 100 to 6,000 Hz.

    The room's response is Gaussian noise whose envelope falls by 60 dB in `seconds`.
    """
    count = round(seconds * sample_rate)
    fall = np.exp(-np.log(1000) / seconds * np.arange(count) / sample_rate)
    response = fall * filtered_noise(rng, count, sample_rate, *_WALLS_HERTZ)
    response[: round(0.004 * sample_rate)] = 0  # the way to the nearest wall and back
    response *= np.sqrt((_WALLS_HERTZ[1] - _WALLS_HERTZ[0]) / (sample_rate / 2)) / np.linalg.norm(response)
    length = -(-(len(wave) + count) // _FFT_BLOCK) * _FFT_BLOCK
    spectrum = np.fft.rfft(wave, length) * np.fft.rfft(response, length)
    return np.asarray(np.fft.irfft(spectrum, length)[: len(wave)])


def distant_sounds(rng: np.random.Generator, sample_count: int, sample_rate: int) -> np.ndarray:
    """Thuds, birds and passing cars at random times: float64 [sample_count] of RMS 1, or 0 where none starts."""
    wave, kinds = np.zeros(sample_count), (_thud, _bird, _car)
    start = round(rng.exponential(_PAUSE_SECONDS) * sample_rate)
    while start < sample_count:
        sound = kinds[rng.integers(len(kinds))](rng, sample_rate)
        add_at(wave, sound / np.linalg.norm(sound), start)
        start += 1 + round(rng.exponential(_PAUSE_SECONDS) * sample_rate)
    return np.asarray(wave / (wave.std() + 1e-12))


def _thud(rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    seconds = np.arange(round(0.4 * sample_rate)) / sample_rate
    noise = filtered_noise(rng, len(seconds), sample_rate, 40, rng.uniform(150, 400))
    return np.asarray(noise * strike(seconds, 0.005, rng.uniform(0.05, 0.1)))


def _bird(rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    seconds = np.arange(round(rng.uniform(0.3, 0.6) * sample_rate)) / sample_rate
    trill = np.sin(2 * np.pi * rng.uniform(6, 12) * seconds)
    phase = np.cumsum(rng.uniform(2200, 3800) * (1 + 0.15 * trill)) / sample_rate
    return np.asarray(np.sin(2 * np.pi * phase) * np.maximum(trill, 0) * np.hanning(len(seconds)))


def _car(rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    count = int(rng.integers(10, 21)) * (sample_rate // 10)  # tenths of a second: their transforms are fast
    return np.asarray(filtered_noise(rng, count, sample_rate, 60, rng.uniform(300, 900)) * np.hanning(count))


def _gain(decibels: float) -> float:
    return float(10 ** (decibels / 20))
