"""How loud a sound is, and when. Sounds are int16 mono [S]; powers are mean squares in units of full scale squared."""

import numpy as np

# What every level below it counts as: digital silence has none.
SILENCE_DB = -100.0


def loudness_db(wave: np.ndarray) -> float:
    """Root mean square of a sound in dB of full scale, at least -100."""
    return float(_decibels(_mean_power(wave, np.array([0, len(wave)])))[0])


def loudness_between_frames(wave: np.ndarray, frame_count: int) -> np.ndarray:
    """`power_between_frames` in dB of full scale, at least -100."""
    return _decibels(power_between_frames(wave, frame_count))


def power_between_frames(wave: np.ndarray, frame_count: int) -> np.ndarray:
    """The power, float64 [T−1], around each change of frame: of as long as a frame lasts, as `motion_energy`."""
    return _mean_power(wave, ((np.arange(frame_count) + 0.5) * len(wave) / frame_count).astype(int))


def power_in_frames(wave: np.ndarray, frame_count: int) -> np.ndarray:
    """The power, float64 [T], while each of a clip's frames lasts."""
    return _mean_power(wave, np.arange(frame_count + 1) * len(wave) // frame_count)


def _mean_power(wave: np.ndarray, edges: np.ndarray) -> np.ndarray:
    squares = np.square(wave[: edges[-1]] / 32768)
    power: np.ndarray = np.add.reduceat(squares, edges[:-1]) / np.diff(edges)
    return power


def _decibels(power: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(10 * np.log10(power + 1e-20), SILENCE_DB))
