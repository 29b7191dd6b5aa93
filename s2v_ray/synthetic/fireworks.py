"""Fireworks over one launch site: each bang in the sound is a burst of light in the same frame.

The image determines where and in which colours: a leaning mast points at the centre of the bursts, which is
`_REACH` masts away from its foot, and its lamps have their colours. The sound determines when and how big: the
loudness of the bang is the size and brightness of the burst, the crackle after it follows its light. Only the
directions of the sparks follow from neither.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from s2v_ray.media.clock import samples_per_frame
from s2v_ray.synthetic.paint import Colour, coverage, lay_over, pixel_centres, rgb, smooth_field, to_uint8
from s2v_ray.synthetic.sound import add_at, filtered_noise, strike, to_pcm16

_REACH = 3.2
_RISE_SECONDS = 0.4
_STREAK_SECONDS = 0.022
_SPARKS = 110
_NUISANCE = 1_000_000  # separates these streams from the source's own, even for equal seeds


class _Look(NamedTuple):
    background: np.ndarray  # [H, W, 3], float32 in [0, 1]
    openness: np.ndarray  # [H, W, 1], how much of the light shows; little in front of the ground
    mirrored_row: np.ndarray | None  # [H], the row that each row of water mirrors, −1 without water
    launch: np.ndarray  # [2], (down, across)
    burst: np.ndarray  # [2], (down, across)
    colours: tuple[Colour, Colour]  # of the outer and inner sparks


class _Burst(NamedTuple):
    frame: int
    strength: float  # in [0, 1]
    fade_seconds: float


def scene(
    source_seed: int, nuisance_seed: int, *, seconds: float, size: int, frame_rate: Fraction, sample_rate: int
) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """A `Scene` of fireworks at night; `nuisance_seed` varies the directions of the sparks."""
    frame_count, frame_samples = round(seconds * frame_rate), samples_per_frame(sample_rate, frame_rate)
    look_rng, event_rng, sound_rng = (np.random.default_rng((source_seed, stream)) for stream in range(3))
    bursts = _bursts(event_rng, frame_count, float(frame_rate))
    wave = _sound(sound_rng, bursts, frame_count * frame_samples, frame_samples, sample_rate)
    return _frames(_look(look_rng, size), bursts, nuisance_seed, frame_count, size, float(frame_rate)), wave


def _bursts(rng: np.random.Generator, frame_count: int, frame_rate: float) -> list[_Burst]:
    """Bursts at irregular times; each starts with a frame, so that its sound and light coincide."""
    pace_seconds = rng.uniform(0.5, 0.95)
    bursts, at_seconds = [], rng.uniform(0.1, 0.9)
    while (frame := round(at_seconds * frame_rate)) < frame_count:
        bursts.append(_Burst(frame, rng.uniform(0, 1), rng.uniform(0.6, 1.2)))
        double = rng.random() < 0.15
        at_seconds += rng.uniform(0.17, 0.27) if double else 0.3 + pace_seconds * rng.gamma(1.5, 0.5)
    return bursts


def _brightness(age_seconds: np.ndarray | float, fade_seconds: float) -> np.ndarray:
    """The light of a burst over its age, from 1 to 0, which is also the envelope of its crackle."""
    return np.asarray(np.clip(1 - np.asarray(age_seconds) / fade_seconds, 0, 1) ** 1.4)


def _sound(
    rng: np.random.Generator, bursts: list[_Burst], sample_count: int, frame_samples: int, sample_rate: int
) -> np.ndarray:
    wave = 0.002 * filtered_noise(rng, sample_count, sample_rate, 100, 1500)
    boom_hz, crackle_hz, hiss_hz = rng.uniform(55, 105), rng.uniform(2500, 5000), rng.uniform(900, 2500)
    for burst in bursts:
        seconds = np.arange(round(1.5 * sample_rate)) / sample_rate
        count, loudness = len(seconds), 0.2 + 0.8 * burst.strength
        boom = np.sin(2 * np.pi * (boom_hz * seconds + boom_hz * 0.06 * (1 - np.exp(-seconds / 0.06))))
        boom += 0.5 * filtered_noise(rng, count, sample_rate, 40, 250)
        click = filtered_noise(rng, count, sample_rate, 200, 12000)
        pops = np.abs(filtered_noise(rng, count, sample_rate, 15, 80))
        crackle = filtered_noise(rng, count, sample_rate, crackle_hz, 2.5 * crackle_hz) * (0.5 + 0.5 * pops)
        bang = 0.55 * boom * strike(seconds, 0.003, 0.16) + 0.4 * click * strike(seconds, 0.001, 0.035)
        bang += 0.12 * crackle * _brightness(seconds, burst.fade_seconds)
        add_at(wave, loudness * bang, burst.frame * frame_samples)

        rise = filtered_noise(rng, round(_RISE_SECONDS * sample_rate), sample_rate, hiss_hz, 1.5 * hiss_hz)
        rise *= 0.012 * np.sin(np.linspace(0, np.pi, len(rise)))
        add_at(wave, rise, burst.frame * frame_samples - len(rise))
    return to_pcm16(0.8 * wave)


def _look(rng: np.random.Generator, size: int) -> _Look:
    down, across = pixel_centres(size)
    texture_rng = rng.spawn(1)[0]  # how much it draws depends on the size; for the others, it must not
    horizon = rng.uniform(0.7, 0.86)
    sky = _sky(rng, size, horizon)
    kind = rng.choice(["hills", "city", "harbour"])

    waves = smooth_field(rng, (1, 256), (1, rng.uniform(2, 6)))[0]
    ridge = np.interp(across[0], np.linspace(0, 1, 256), waves)[None, :]
    ridge = horizon + (0.028 if kind == "hills" else 0.008) * ridge - 0.02
    ground_HW = coverage(down - ridge, size)
    ground = rgb(rng.random(), rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.14))
    image = sky.copy()
    lay_over(image, ground, ground_HW)
    if kind == "city":
        ground_HW = np.maximum(ground_HW, _city(rng, image, ground, horizon, size))
    mirror = None
    if kind == "harbour":
        mirror = np.clip(np.round((2 * horizon - down[:, 0]) * size - 0.5).astype(int), 0, size - 1)
        water_HW = np.broadcast_to(coverage(down - horizon, size), (size, size))
        stripes = 1 + 0.12 * smooth_field(texture_rng, (size, size), (size / 5, 3))[..., None]
        lay_over(image, (0.55 * image[mirror] + 0.35 * ground) * stripes, water_HW)
        mirror = np.where(down[:, 0] > horizon, mirror, -1)

    launch = np.array([min(horizon + rng.uniform(0.02, 0.08), 0.9), rng.uniform(0.2, 0.8)])
    burst = np.array([rng.uniform(0.3, 0.42), np.clip(launch[1] + rng.uniform(-0.25, 0.25), 0.3, 0.7)])
    hue, two_tone = rng.random(), rng.random() < 0.5
    outer = rgb(hue, rng.uniform(0.45, 0.95), 1.0)
    inner = rgb(hue + rng.uniform(0.25, 0.75), rng.uniform(0.3, 0.9), 1.0) if two_tone else outer
    _mast(image, launch, burst, (outer, inner), size)
    open_HW = 1 - 0.9 * ground_HW
    return _Look(image, open_HW[..., None].astype(np.float32), mirror, launch, burst, (outer, inner))


def _sky(rng: np.random.Generator, size: int, horizon: float) -> np.ndarray:
    """A night or dusk sky, [size, size, 3], with stars and in some a moon."""
    down, across = pixel_centres(size)
    dusk = rng.random()
    top = rgb(rng.uniform(0.55, 0.78), rng.uniform(0.5, 0.9), 0.05 + 0.17 * dusk)
    low = rgb(rng.choice([rng.uniform(0.55, 0.75), rng.uniform(0.9, 1.1)]), rng.uniform(0.4, 0.8), 0.1 + 0.35 * dusk)
    height = np.clip(down / horizon, 0, 1) ** rng.uniform(1.2, 3)
    image = (top + (low - top) * height[..., None]) * np.ones((size, size, 1), np.float32)
    stars = int(rng.integers(4, 30) * (1 - dusk)) + 1
    for y, x, light in zip(rng.uniform(0, 0.6, stars), rng.random(stars), rng.uniform(0.1, 0.5, stars), strict=True):
        spot = np.exp(-((down - y) ** 2 + (across - x) ** 2) / (2 * 0.006**2))
        lay_over(image, np.ones(3, np.float32), light * spot)
    if rng.random() < 0.4:
        y, x, radius = rng.uniform(0.08, 0.25), rng.choice([rng.uniform(0.06, 0.2), rng.uniform(0.8, 0.94)]), 0.035
        distance = np.hypot(down - y, across - x)
        lay_over(image, np.array([0.85, 0.83, 0.75], np.float32), coverage(radius - distance, size))
        lay_over(image, np.ones(3, np.float32), 0.2 * np.exp(-distance / 0.05))
    return np.asarray(image, np.float32)


def _city(rng: np.random.Generator, image: np.ndarray, colour: np.ndarray, horizon: float, size: int) -> np.ndarray:
    """Paint houses with lit windows on the horizon; returns their coverage, [size, size]."""
    down, across = pixel_centres(size)
    houses_HW, left = np.zeros((size, size), np.float32), rng.uniform(-0.1, 0)
    lamp = rgb(rng.uniform(0.08, 0.16), 0.5, 0.55)
    while left < 1:
        width, roof = rng.uniform(0.05, 0.13), horizon - rng.uniform(0.02, 0.17)
        sides = coverage(width / 2 - np.abs(across - left - width / 2), size)
        cover = coverage(down - roof, size) * sides
        lay_over(image, colour * rng.uniform(0.6, 1.1), cover)
        houses_HW = np.maximum(houses_HW, cover)
        for y in np.arange(roof + 0.02, horizon, 0.03):
            for x in np.arange(left + 0.02, left + width - 0.01, 0.026):
                if rng.random() < 0.35:
                    pane = np.exp(-(((down - y) / 0.007) ** 2) - ((across - x) / 0.006) ** 2)
                    lay_over(image, lamp, rng.uniform(0.4, 1) * pane)
        left += width + rng.choice([0.0, rng.uniform(0.01, 0.08)])
    return houses_HW


def _mast(image: np.ndarray, foot: np.ndarray, burst: np.ndarray, colours: tuple[Colour, Colour], size: int) -> None:
    """Paint the launch site: a barge, and a mast that leans towards the bursts, with a lamp at each end."""
    down, across = pixel_centres(size)
    barge = np.minimum(0.012 - np.abs(down - foot[0] - 0.02), 0.07 - np.abs(across - foot[1]))
    lay_over(image, np.array([0.3, 0.29, 0.3], np.float32), coverage(barge, size))
    mast = (burst - foot) / _REACH
    along = np.clip(((down - foot[0]) * mast[0] + (across - foot[1]) * mast[1]) / (mast @ mast), 0, 1)
    aside = np.hypot(down - foot[0] - along * mast[0], across - foot[1] - along * mast[1])
    lay_over(image, np.array([0.5, 0.48, 0.47], np.float32), coverage(0.011 - aside, size))
    for (y, x), colour, radius in zip((foot, foot + mast), colours, (0.03, 0.022), strict=True):
        distance = np.hypot(down - y, across - x)
        lay_over(image, colour, 0.3 * np.exp(-0.5 * (distance / 0.045) ** 2))
        lay_over(image, colour, coverage(radius - distance, size))


def _frames(
    look: _Look, bursts: list[_Burst], nuisance_seed: int, frame_count: int, size: int, frame_rate: float
) -> Iterator[np.ndarray]:
    sparks = [_spark_directions(np.random.default_rng((nuisance_seed, _NUISANCE, i))) for i in range(len(bursts))]
    still = to_uint8(look.background)
    for frame in range(frame_count):
        light_HWC, flash = np.zeros((size, size, 3), np.float32), 0.0
        for burst, directions in zip(bursts, sparks, strict=True):
            age_seconds = (frame + 0.5 - burst.frame) / frame_rate  # frames show the middle of their interval
            if -_RISE_SECONDS < age_seconds < 0:
                light_HWC += _trail_light(look, 1 + age_seconds / _RISE_SECONDS, size)
            elif 0 <= age_seconds < burst.fade_seconds:
                light_HWC += _burst_light(look, burst, directions, age_seconds, size)
                flash += (0.4 + 0.6 * burst.strength) * float(_brightness(age_seconds, burst.fade_seconds)) ** 2
        if not light_HWC.any():
            yield still.copy()
            continue
        visible_HWC = light_HWC * look.openness
        if look.mirrored_row is not None:
            visible_HWC += 0.4 * light_HWC[look.mirrored_row] * (look.mirrored_row >= 0)[:, None, None]
        lit_HWC = look.background * (1 + 0.5 * flash)
        yield to_uint8(1 - (1 - np.minimum(lit_HWC, 1)) * np.exp(-visible_HWC))


def _spark_directions(rng: np.random.Generator) -> np.ndarray:
    """Directions spread evenly over the sphere (Fibonacci's spiral), rotated at random, from the side: [sparks, 2]."""
    order = np.arange(_SPARKS) + 0.5
    polar, azimuth = np.arccos(1 - 2 * order / _SPARKS), np.pi * (1 + 5**0.5) * order
    sphere = np.stack([np.cos(polar), np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)], axis=1)
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    return np.asarray((sphere @ rotation)[:, :2] * rng.uniform(0.9, 1.08, (_SPARKS, 1)), np.float32)


def _burst_light(look: _Look, burst: _Burst, directions: np.ndarray, age_seconds: float, size: int) -> np.ndarray:
    """The light of one burst, float32 [size, size, 3]: an outer and an inner ball of sparks, a halo and a flash."""
    radius = 0.5 * (0.35 + 0.35 * burst.strength)
    gain = (0.6 + 0.4 * burst.strength) * float(_brightness(age_seconds, burst.fade_seconds))
    ages = np.maximum(age_seconds - _STREAK_SECONDS * np.arange(4), 0)
    grown, fallen = 1 - np.exp(-(ages + 0.02) / 0.13), 0.09 * ages**2
    points_AP2 = look.burst + radius * grown[:, None, None] * directions
    outer_AP2, inner_AP2 = points_AP2[:, ::2], look.burst + 0.5 * (points_AP2[:, 1::2] - look.burst)
    centre = look.burst + np.array([fallen[0], 0])
    streak_A = gain * np.array([1.0, 0.7, 0.45, 0.25])
    layers = []
    for ball_AP2 in (outer_AP2, inner_AP2):
        ball_AP2[..., 0] += fallen[:, None]
        weight_N = np.repeat(streak_A, ball_AP2.shape[1])
        layers.append(_spots(ball_AP2.reshape(-1, 2), weight_N, max(0.011, 0.6 / size), size))
    layers.append(_spots(centre[None], np.array([0.7 * gain]), 0.45 * radius * (0.3 + grown[0]), size))
    layers.append(_spots(centre[None], np.array([1.6 * gain * np.exp(-age_seconds / 0.08)]), 0.5 * radius, size))
    outer, inner = look.colours
    colour_LC = np.stack([outer, inner, (outer + inner) / 2, np.ones(3, np.float32)])
    return np.asarray((np.stack(layers).reshape(len(layers), -1).T @ colour_LC).reshape(size, size, 3))


def _trail_light(look: _Look, progress: float, size: int) -> np.ndarray:
    """The faint light of the rising shell, `progress` of the way up."""
    steps = np.maximum(progress - np.array([0, 0.05, 0.1]), 0)[:, None]
    points = look.launch + (look.burst - look.launch) * (1 - (1 - steps) ** 1.6)
    return np.asarray(_spots(points, np.array([0.35, 0.2, 0.1]), 0.012, size)[..., None] * look.colours[0])


def _spots(points_N2: np.ndarray, weight_N: np.ndarray, sigma: float, size: int) -> np.ndarray:
    """A sum of round Gaussian spots, [size, size]; each is a column times a row, so the sum is a matrix product."""
    down, across = pixel_centres(size)
    narrow = np.float32(np.sqrt(0.5) / sigma)
    points_N2 = points_N2.astype(np.float32) * narrow
    columns_HN = np.exp(-((down * narrow - points_N2[:, 0]) ** 2))
    rows_NW = np.exp(-((points_N2[:, 1, None] - across * narrow) ** 2))
    return np.asarray((columns_HN * weight_N.astype(np.float32)) @ rows_NW)
