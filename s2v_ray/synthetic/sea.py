"""Waves on a beach: the louder and brighter the sound, the higher the water has run up the sand.

The image determines where: the shore lies between the water at rest and the end of the wet sand, which is as far
as a full wave runs. The sound determines when and how far: its level in decibels is linear in the water line, and
its hiss follows the white water. Only the texture of the foam follows from neither.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from s2v_ray.media.clock import samples_per_frame
from s2v_ray.synthetic.paint import coverage, lay_over, pixel_centres, rgb, smooth_field, to_uint8
from s2v_ray.synthetic.sound import filtered_noise, to_pcm16

_LONGEST_WAVE_SECONDS = 2.5
_NUISANCE = 1_000_000  # separates this stream from the source's own, even for equal seeds

_Curve = Callable[[np.ndarray], np.ndarray]


class _Look(NamedTuple):
    beach: np.ndarray  # [H, W, 3], sky and sand without the water, float32 in [0, 1]
    water: np.ndarray  # [H, W, 3], the sea as if it covered the beach
    foam: np.ndarray  # [3]
    rest: np.ndarray  # [H, W], how far each pixel lies inside the sea at rest, in sides of the image
    reach: np.ndarray  # [H, W], how far a full wave runs beyond that
    breaker: np.ndarray  # [H, W], where waves break, in [0, 1]
    below_horizon: np.ndarray  # [H, W], in [0, 1]


def scene(
    source_seed: int, nuisance_seed: int, *, seconds: float, size: int, frame_rate: Fraction, sample_rate: int
) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """A `Scene` of waves on a beach; `nuisance_seed` varies the texture of the foam."""
    frame_count, frame_samples = round(seconds * frame_rate), samples_per_frame(sample_rate, frame_rate)
    look_rng, wave_rng, sound_rng = (np.random.default_rng((source_seed, stream)) for stream in range(3))
    swell, breaking = _swell(wave_rng, float(frame_count / frame_rate))
    wave = _sound(sound_rng, swell, breaking, frame_count * frame_samples, sample_rate)
    frame_seconds = (np.arange(frame_count) + 0.5) / float(frame_rate)
    up, white = swell(frame_seconds), breaking(frame_seconds)
    return _frames(_look(look_rng, size), up, white, np.random.default_rng((nuisance_seed, _NUISANCE))), wave


def _swell(rng: np.random.Generator, seconds: float) -> tuple[_Curve, _Curve]:
    """Two curves over time, both in [0, 1]: how far the water has run up, and how much of it breaks.

    A wave runs up quickly, draws back slowly, and breaks while it runs up.
    """
    pace, waves = rng.uniform(0.8, 1.2), []
    at = -_LONGEST_WAVE_SECONDS + rng.uniform(0, 1)
    while at < seconds:
        length = np.clip(pace * rng.uniform(0.9, 2.3), 1.0, _LONGEST_WAVE_SECONDS)
        waves.append((at, length, rng.uniform(0.4, 1.0)))
        at += length * rng.uniform(0.75, 1.1)
    rise = rng.uniform(0.18, 0.28)

    def swell(at_seconds: np.ndarray) -> np.ndarray:
        rest = np.ones_like(at_seconds)
        for start, length, height in waves:
            part = np.clip((at_seconds - start) / length, 0, 1)
            hump = np.where(part < rise, _ease(part / rise), _ease((1 - part) / (1 - rise)))
            rest *= 1 - height * hump
        return 1 - rest

    def breaking(at_seconds: np.ndarray) -> np.ndarray:
        still = np.ones_like(at_seconds)
        for start, length, height in waves:
            part = np.clip((at_seconds - start) / (length * 1.8 * rise), 0, 1)
            still *= 1 - height * np.sin(np.pi * part) ** 2
        return 1 - still

    return swell, breaking


def _ease(part: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(part, 0, 1)))


def _sound(
    rng: np.random.Generator, swell: _Curve, breaking: _Curve, sample_count: int, sample_rate: int
) -> np.ndarray:
    seconds = np.arange(sample_count) / sample_rate
    up, white = swell(seconds), breaking(seconds)
    rumble = filtered_noise(rng, sample_count, sample_rate, rng.uniform(60, 120), rng.uniform(500, 900))
    wash = filtered_noise(rng, sample_count, sample_rate, rng.uniform(500, 900), rng.uniform(2500, 5000))
    hiss = filtered_noise(rng, sample_count, sample_rate, 5000, 14000)
    rumble *= 10 ** ((-40 + 22 * up) / 20)
    wash *= 10 ** ((-48 + 32 * up) / 20)
    hiss *= 10 ** ((-62 + 38 * white) / 20)
    return to_pcm16(rumble + wash + hiss)


def _look(rng: np.random.Generator, size: int) -> _Look:
    down, across = pixel_centres(size)
    texture_rng = rng.spawn(1)[0]  # how much it draws depends on the size; for the others, it must not
    horizon = rng.choice([-1.0, rng.uniform(0.1, 0.26)])  # in some, the camera looks down and sees no sky
    tilt, bend = rng.uniform(-0.22, 0.22), rng.uniform(-0.3, 0.3)
    lobes = [np.interp(across, np.linspace(0, 1, 256), smooth_field(rng, (1, 256), (1, 3))[0]) for _ in range(2)]
    shore = max(horizon, 0.12) + rng.uniform(0.22, 0.3) + tilt * (across - 0.5) + bend * (across - 0.5) ** 2
    rest_HW = shore + 0.012 * lobes[0] - down
    reach_HW = rng.uniform(0.26, 0.36) * np.clip(1 + 0.1 * lobes[1], 0.7, 1.3) * np.ones((size, 1))

    sand = rgb(rng.uniform(0.04, 0.13), rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.92))
    beach = sand * (1 + 0.05 * smooth_field(texture_rng, (size, size), (size / 4, size / 4)))[..., None]
    _stones_and_parasols(rng, beach, rest_HW + reach_HW, size)
    wet_HW = 1 - coverage(-(rest_HW + reach_HW) * 0.25, size)
    lay_over(beach, beach * np.array([0.66, 0.67, 0.7], np.float32), wet_HW)

    hue = rng.uniform(0.44, 0.62)
    near = rgb(hue - 0.04, rng.uniform(0.35, 0.8), rng.uniform(0.4, 0.8))
    far = rgb(hue + 0.04, rng.uniform(0.5, 0.95), rng.uniform(0.2, 0.5))
    depth = np.clip(rest_HW / (shore - max(horizon, 0)).mean(), 0, 1)[..., None]
    stripes = 1 + 0.06 * smooth_field(texture_rng, (size, size), (size / 6, 3))[..., None]
    water = (near + (far - near) * depth) * stripes

    horizon_HW = coverage(down - horizon, size) * np.ones((size, size))
    sky = _sky(rng, texture_rng, size, horizon)
    lay_over(sky, beach, horizon_HW)
    breaker_at = rng.uniform(0.06, 0.11)
    breaker_HW = np.exp(-(((rest_HW - breaker_at - 0.012 * lobes[1]) / 0.03) ** 2)) * horizon_HW
    foam = rgb(rng.random(), rng.uniform(0, 0.08), rng.uniform(0.88, 1.0))
    parts = (sky, np.clip(water, 0, 1), foam, rest_HW, reach_HW, breaker_HW, horizon_HW)
    return _Look(*(part.astype(np.float32) for part in parts))


def _sky(rng: np.random.Generator, texture_rng: np.random.Generator, size: int, horizon: float) -> np.ndarray:
    """A day or evening sky above the horizon, [size, size, 3]."""
    down, _ = pixel_centres(size)
    top = rgb(rng.uniform(0.53, 0.64), rng.uniform(0.15, 0.6), rng.uniform(0.55, 0.9))
    low = rgb(rng.choice([rng.uniform(0.52, 0.62), rng.uniform(0.0, 0.13)]), rng.uniform(0.1, 0.45), 0.95)
    sky = (top + (low - top) * np.clip(down / max(horizon, 0.1), 0, 1)[..., None]) * np.ones((size, size, 1))
    clouds = np.clip(smooth_field(texture_rng, (size, size), (8, 2.5)) - rng.uniform(0.2, 1), 0, 1)
    lay_over(sky, np.ones(3), 0.6 * clouds)
    return np.asarray(sky)


def _stones_and_parasols(rng: np.random.Generator, beach: np.ndarray, inside_HW: np.ndarray, size: int) -> None:
    """Paint a few stones and parasols, each with its shadow, on the sand that stays dry."""
    down, across = pixel_centres(size)
    for y, x in rng.uniform((0.6, 0.03), (0.98, 0.97), (rng.integers(0, 12), 2)):
        parasol = rng.random() < 0.5
        radius = rng.uniform(0.03, 0.045) if parasol else rng.uniform(0.01, 0.025)
        colour = rgb(rng.random(), 0.75, 0.9) if parasol else rgb(rng.random(), 0.1, rng.uniform(0.2, 0.45))
        if inside_HW[int(y * size), int(x * size)] > -0.06:
            continue
        lay_over(beach, beach * 0.6, coverage(radius - np.hypot(down - y - 0.015, across - x - 0.02), size))
        distance = np.hypot(down - y, across - x)
        lay_over(beach, colour, coverage(radius - distance, size))
        lay_over(beach, np.minimum(colour * 1.35, 1), 0.7 * coverage(radius / 2 - distance, size))


def _frames(look: _Look, up: np.ndarray, white: np.ndarray, nuisance_rng: np.random.Generator) -> Iterator[np.ndarray]:
    size = len(look.rest)
    columns = np.arange(size)
    texture = np.clip(0.75 + 0.3 * smooth_field(nuisance_rng, (size, size), (14, 10)), 0.2, 1)
    for height, foaming in zip(up, white, strict=True):
        inside_HW = look.rest + height * look.reach
        wet_HW = coverage(inside_HW, size) * look.below_horizon
        # The sheet is clear at its edge, and covered with foam that thins out behind the edge.
        water_HW = wet_HW * np.clip(0.55 + inside_HW * 5, 0, 1)
        width = 0.03 + 0.05 * height + 0.12 * foaming
        foam_HW = wet_HW * np.exp(-np.maximum(inside_HW, 0) / width)
        # The texture moves with the edge.
        row_HW = inside_HW * size
        low = np.floor(row_HW).astype(np.int32)
        grain_low, grain_high = texture[low % size, columns], texture[(low + 1) % size, columns]
        grain_HW = grain_low + (grain_high - grain_low) * (row_HW - low)
        foam_HW *= 0.6 + 0.4 * height + (1 - foam_HW) * (grain_HW - 1)
        foam_HW = np.clip(np.maximum(foam_HW, foaming * look.breaker * grain_HW), 0, 1)
        frame_HWC = look.beach + (look.water - look.beach) * water_HW[..., None]
        lay_over(frame_HWC, look.foam, foam_HW)
        yield to_uint8(frame_HWC)
