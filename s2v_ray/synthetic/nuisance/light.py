"""Exposure that drifts, and the noise of the camera's sensor."""

import numpy as np

from s2v_ray.synthetic.nuisance.wander import wander

_DRIFT_HERTZ = (0.08, 0.6)
_GAMMA = 2.2  # a stop doubles the light, and so multiplies the pixel by 2 ** (1 / 2.2)
_DARK_SHARE = 0.15  # of the noise's power that doesn't come with the light


def exposure(rng: np.random.Generator, seconds_T: np.ndarray, stops: float) -> np.ndarray:
    """What the pixels are multiplied by over time, [T], 1 at time 0, for a drift of `stops` (RMS)."""
    return np.asarray(2 ** (stops * wander(rng, seconds_T, *_DRIFT_HERTZ) / _GAMMA), np.float32)


def add_sensor_noise(image_HWC: np.ndarray, rng: np.random.Generator, deviation: float) -> None:
    """Add noise in place, of standard deviation `deviation` at white and less in the dark (photon noise)."""
    noise_HWC = rng.standard_normal(image_HWC.shape, np.float32)
    noise_HWC *= np.sqrt(_DARK_SHARE + (1 - _DARK_SHARE) * np.clip(image_HWC, 0, 1))
    image_HWC += np.float32(deviation) * noise_HWC
