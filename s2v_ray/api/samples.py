"""Samples in memory as a sound file: what reads sounds then mixes and resamples them as any other."""

import wave
from pathlib import Path

import numpy as np

from s2v_ray.config.schema import MAX_SAMPLE_RATE
from s2v_ray.errors import UserError

_MOST_CHANNELS = 8
_FULL_SCALE = 32768


def write_samples(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write int16 samples, or floats in [-1, 1], [S] or [S, channels], to a WAV file of 16 bits.

    Raises UserError `wrong_sound` for another type, shape, range or rate.
    """
    if not isinstance(sample_rate, int | np.integer) or not 0 < sample_rate <= MAX_SAMPLE_RATE:
        shown = f"an array of {type(sample_rate).__name__}" if np.ndim(sample_rate) else repr(sample_rate)
        rule = f"but must be a whole number of Hz up to {MAX_SAMPLE_RATE}; sound is (samples, sample_rate)"
        raise UserError("wrong_sound", f"The sample rate is {shown}, {rule}.")
    samples = np.asarray(samples)
    channels = samples.shape[1] if samples.ndim == 2 else 1
    if samples.ndim not in (1, 2) or not len(samples) or not 1 <= channels <= _MOST_CHANNELS:
        rule = f"[samples] or [samples, channels] with at most {_MOST_CHANNELS} channels"
        raise UserError("wrong_sound", f"The sound has the shape {list(samples.shape)}, but must be {rule}; transpose.")
    pcm = samples if samples.dtype == np.int16 else _pcm(samples)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(int(sample_rate))
        file.writeframes(pcm.astype("<i2").tobytes())


def _pcm(samples: np.ndarray) -> np.ndarray:
    if not np.issubdtype(samples.dtype, np.floating):
        rule = "but must be int16, or floats in [-1, 1]"
        raise UserError("wrong_sound", f"The samples of the sound are {samples.dtype}, {rule}; convert them.")
    largest = float(np.abs(samples).max())
    if not largest <= 1:  # NaN isn't either
        rule = "but floats must be in [-1, 1]; divide them by their largest absolute value"
        raise UserError("wrong_sound", f"The samples of the sound reach {largest:g}, {rule}.")
    # 1.0 itself is the one value that 16 bits lack: it becomes the largest that they have.
    return np.minimum(np.rint(samples.astype(np.float64) * _FULL_SCALE), _FULL_SCALE - 1)
