"""Exposure that drifts, and the noise of the camera's sensor."""

import numpy as np

from s2v_ray.synthetic.nuisance.wander import wander

_DRIFT_HERTZ = (0.08, 0.6)
_GAMMA = 2.2  # a stop doubles the light, and so multiplies the pixel by 2 ** (1 / 2.2)
_DARK_SHARE = 0.15  # of the noise's power that doesn't come with the light


def exposure(rng: np.random.Generator, seconds_T: np.ndarray, stops: float) -> np.ndarray:
    """What the pixels are multiplied by over time, [T], 1 at time 0, for a drift of `stops` (RMS)."""
    return np.asarray(2 ** (stops * wander(rng, seconds_T, *_DRIFT_HERTZ) / _GAMMA), np.float32)


def noise_field(rng: np.random.Generator, size: int) -> np.ndarray:
    """White noise, float32 [3 size, 3 size, 3] of RMS 1, that `add_sensor_noise` takes pieces of."""
    return rng.standard_normal((3 * size, 3 * size, 3), np.float32)


def add_sensor_noise(image_HWC: np.ndarray, rng: np.random.Generator, field_HWC: np.ndarray, deviation: float) -> None:
    """Add noise in place, of standard deviation `deviation` at white and less in the dark (photon noise).

    It is a piece of `field_HWC` at a random place: fresh noise would take a third of the time of a whole video.
    """
    size = len(image_HWC)
    top, left = rng.integers(len(field_HWC) - size, size=2)
    power_HWC = np.maximum(image_HWC, 0) * np.float32(1 - _DARK_SHARE) + np.float32(_DARK_SHARE)
    image_HWC += field_HWC[top : top + size, left : left + size] * (np.sqrt(power_HWC) * np.float32(deviation))
