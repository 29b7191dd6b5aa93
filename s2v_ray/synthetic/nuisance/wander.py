"""A slow random movement over time."""

import numpy as np

_WAVES = 8
_DEPARTURE_SECONDS = 0.5


def wander(rng: np.random.Generator, seconds_T: np.ndarray, slowest_hertz: float, fastest_hertz: float) -> np.ndarray:
    """A smooth random function of time [T], 0 at time 0 and of RMS 1 from about half a second on; at most 4.

    Its value at a time doesn't depend on the other times.
    """
    hertz_W = slowest_hertz * (fastest_hertz / slowest_hertz) ** ((np.arange(_WAVES) + rng.random(_WAVES)) / _WAVES)
    phase_W = rng.random(_WAVES)
    # As fast in each octave: the slower, the wider.
    amplitude_W = np.sqrt(2) / hertz_W / np.linalg.norm(1 / hertz_W)
    waves_T = np.sin(2 * np.pi * (seconds_T[:, None] * hertz_W + phase_W)) @ amplitude_W
    return np.asarray(waves_T * (1 - np.exp(-((seconds_T / _DEPARTURE_SECONDS) ** 2))))
