"""A person who claps overhead: the arms swing up before the sound, and the hands meet as it starts.

The image determines who claps, the sound when and how hard. Only a few percent of how far the arms are stretched
follow from neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from s2v_ray.media.clock import samples_per_frame
from s2v_ray.synthetic.paint import Colour, coverage, lay_over, rgb, shade
from s2v_ray.synthetic.people import Canvas, random_hair, random_skin
from s2v_ray.synthetic.sound import add_at, to_pcm16

# A loud clap comes from a quick swing and high hands, a soft one from a slow swing and lower hands.
_RISE_SECONDS_SOFT, _RISE_SECONDS_LOUD = 0.38, 0.28
_CONTACT_SECONDS = 0.05
_FALL_SECONDS = 0.36
_SOFTEST_DECIBELS = -14.0  # of a clap of force 0, relative to force 1


def scene(
    source_seed: int, nuisance_seed: int, *, seconds: float, size: int, frame_rate: Fraction, sample_rate: int
) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """A `Scene` of a person clapping overhead; `nuisance_seed` varies how far the arms are stretched at each clap."""
    frame_count, frame_samples = round(seconds * frame_rate), samples_per_frame(sample_rate, frame_rate)
    claps = compose(source_seed, seconds)
    wave = _sound(claps, source_seed, frame_count * frame_samples, sample_rate)
    look = _look(np.random.default_rng([source_seed, 2]), size)
    stretch_K = np.random.default_rng(nuisance_seed).uniform(-0.02, 0.02, len(claps.onset_seconds))
    frame_seconds_T = (np.arange(frame_count) + 0.5) / float(frame_rate)
    return _frames(look, _arms(look, claps, stretch_K, frame_seconds_T)), wave


@dataclass(frozen=True)
class Claps:
    """When the hands meet, and how hard: K claps."""

    onset_seconds: np.ndarray
    force: np.ndarray  # in [0, 1], the loudness of each


def compose(source_seed: int, seconds: float) -> Claps:
    """The claps of `source_seed` within `seconds`: 0.5 to 1.4 s apart, around the person's own tempo."""
    rng = np.random.default_rng([source_seed, 1])
    mean_interval = rng.uniform(0.75, 1.1)
    onsets = [rng.uniform(0.15, 1.3)]
    while onsets[-1] < seconds:
        onsets.append(onsets[-1] + np.clip(mean_interval * rng.uniform(0.6, 1.4), 0.5, 1.4))
    # A clap cut off by the end would be visible but not audible.
    onset_seconds = np.array([onset for onset in onsets if onset < seconds - 0.1])
    return Claps(onset_seconds, rng.random(len(onset_seconds)))


def _sound(claps: Claps, source_seed: int, sample_count: int, sample_rate: int) -> np.ndarray:
    """The sound of all claps, int16 [sample_count]; each starts at the sample of its onset."""
    rng = np.random.default_rng([source_seed, 3])
    resonance_hertz, quality = rng.uniform(700, 2200), rng.uniform(1.5, 4)
    burst_seconds, room_seconds = rng.uniform(0.006, 0.014), rng.uniform(0.04, 0.09)
    room_level = rng.uniform(0.02, 0.06)
    length = round(0.4 * sample_rate)
    seconds_S = np.arange(length) / sample_rate
    envelope_S = np.exp(-seconds_S / burst_seconds) + room_level * np.exp(-seconds_S / room_seconds)
    envelope_S *= np.linspace(1, 0, length)
    hertz_F = np.fft.rfftfreq(2 * length, 1 / sample_rate)
    # A resonator in parallel with plain noise: the cupped hands and the crack of the palms.
    filter_F = 0.3 + 1j * hertz_F / (quality * resonance_hertz * (1 - (hertz_F / resonance_hertz) ** 2) + 1j * hertz_F)
    wave = np.zeros(sample_count)
    for onset_seconds, force in zip(claps.onset_seconds, claps.force, strict=True):
        noise_S = rng.standard_normal(length) * envelope_S
        clap_S = np.fft.irfft(np.fft.rfft(noise_S, 2 * length) * filter_F)[:length]
        loudness = 10 ** (_SOFTEST_DECIBELS * (1 - force) / 20)
        add_at(wave, clap_S * (loudness / np.abs(clap_S).max()), round(onset_seconds * sample_rate))
    return to_pcm16(wave)


class _Look(NamedTuple):
    """A person without arms, and what the arms need; lengths are in units of the image's side, from top left."""

    backdrop: np.ndarray  # float32 [size, size, 3]
    centre_x: float
    shoulder_x: float  # from the centre
    shoulder_y: float
    arm_length: float
    arm_radius: float
    rest_angle: float  # of the hanging arms, outwards from straight down, in radians
    sleeve: float  # share of the upper arm that the sleeve covers
    skin: Colour
    shirt: Colour


def _lift(claps: Claps, seconds_T: np.ndarray) -> np.ndarray:
    """How far the arms are up [T]: 0 at rest, 1 where the hands meet."""
    rise_seconds_K = _RISE_SECONDS_SOFT + (_RISE_SECONDS_LOUD - _RISE_SECONDS_SOFT) * claps.force
    since_KT = seconds_T - claps.onset_seconds[:, None]
    rise_KT = np.clip(since_KT / rise_seconds_K[:, None] + 1, 0, 1)
    fall_KT = np.clip((since_KT - _CONTACT_SECONDS) / _FALL_SECONDS, 0, 1)
    # The rise starts gently and ends at full speed, where the hands meet; the fall eases in and out.
    lift_KT = rise_KT**2 * (2 - rise_KT) * (1 - fall_KT**2 * (3 - 2 * fall_KT))
    return np.asarray(lift_KT.max(axis=0, initial=0))


def _arms(look: _Look, claps: Claps, stretch_K: np.ndarray, seconds_T: np.ndarray) -> np.ndarray:
    """Elbow and hand of the right-hand arm over time [T, 2 points, 2], x from the person's centre, y as in _Look."""
    lift_T = _lift(claps, seconds_T)
    # Hands meet higher for louder claps; between two claps the height drifts from one to the next.
    heights_K = 0.88 + 0.1 * claps.force + stretch_K
    knots = np.stack([claps.onset_seconds, claps.onset_seconds + _CONTACT_SECONDS], 1).ravel()
    height_T = np.interp(seconds_T, knots, np.repeat(heights_K, 2)) if len(knots) else np.ones_like(seconds_T)
    length, inwards = look.arm_length, look.shoulder_x - 0.8 * look.arm_radius
    rise_T = height_T * np.sqrt(length**2 - inwards**2)
    meeting_angle_T, meeting_reach_T = np.pi + np.arctan2(inwards, rise_T), np.hypot(inwards, rise_T)
    # The hand swings around the shoulder, outwards and up.
    angle_T = look.rest_angle + lift_T * (meeting_angle_T - look.rest_angle)
    reach_T = length * 0.97 + lift_T * (meeting_reach_T - length * 0.97)
    towards_T2 = np.stack([np.sin(angle_T), np.cos(angle_T)], 1)
    shoulder = np.array([look.shoulder_x, look.shoulder_y])
    hand_T2 = shoulder + reach_T[:, None] * towards_T2
    # Two equal bones; the elbow points outwards, both down at the side and overhead.
    bend_T = np.sqrt(np.maximum(0, (length / 2) ** 2 - (reach_T / 2) ** 2)) * towards_T2[:, 1]
    outwards_T2 = np.stack([towards_T2[:, 1], -towards_T2[:, 0]], 1)
    elbow_T2 = shoulder + reach_T[:, None] / 2 * towards_T2 + bend_T[:, None] * outwards_T2
    return np.stack([elbow_T2, hand_T2], 1)


_DARK = np.array((0.12, 0.1, 0.1), np.float32)
_MOUTH = np.array((0.6, 0.2, 0.22), np.float32)


def _look(rng: np.random.Generator, size: int) -> _Look:
    scale = rng.uniform(0.88, 1.04)
    skin = random_skin(rng)
    wall = skin
    while np.linalg.norm(wall - skin) < 0.6:  # the arms must stand out
        hue, saturation, value = rng.random(), rng.uniform(0.15, 0.65), rng.uniform(0.35, 0.95)
        wall = rgb(hue, saturation, value)
    x, y = 0.5 + rng.uniform(-0.05, 0.05), 0.485 + rng.uniform(-0.02, 0.03)
    half = 0.13 * scale * rng.uniform(0.95, 1.08)
    arm_length, arm_radius = 0.37 * scale, 0.042 * scale * rng.uniform(0.92, 1.12)
    r = 0.098 * scale * rng.uniform(0.95, 1.06)  # of the head
    rest_angle = rng.uniform(0.22, 0.38)
    hair_style, pattern = rng.integers(3), rng.integers(3)
    sleeve, hair = rng.uniform(0.45, 0.95), random_hair(rng)
    shirt = rgb(hue + rng.uniform(0.2, 0.8), rng.uniform(0.5, 0.9), rng.uniform(0.55, 0.95))
    trim = rgb(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.6, 1))
    wall_below = shade(wall, rng.uniform(0.72, 0.9))
    floor = rgb(hue + rng.uniform(-0.1, 0.1), saturation * 0.8, value * 0.6)

    canvas = Canvas(size, wall, wall_below)
    canvas.box(0, 0.86, 1, 1, floor)
    canvas.box(0, 0.85, 1, 0.87, shade(floor, 1.5))

    head_y, neck = y - 1.62 * r, shade(skin, 0.8)
    if hair_style == 1:  # long
        canvas.box(x - 1.1 * r, head_y - 0.2 * r, x + 1.1 * r, head_y + 1.6 * r, hair, radius=0.4 * r)
    if hair_style == 2:  # bun
        canvas.ellipse(x, head_y - 1.35 * r, 0.42 * r, 0.42 * r, hair)
    canvas.ellipse(x, head_y - 0.28 * r, 1.08 * r, r, hair)
    canvas.box(x - 0.4 * r, head_y + 0.5 * r, x + 0.4 * r, y + 0.2 * r, neck)

    torso_top, waist = y - 0.9 * arm_radius, y + 0.35
    canvas.box(x - half, torso_top, x + half, 1.2, shirt, radius=0.05)
    if pattern == 1:
        for top in y + np.array((0.07, 0.17, 0.27)):
            canvas.box(x - half, top, x + half, top + 0.045, trim)
    if pattern == 2:
        canvas.ellipse(x, y + 0.17, 0.45 * half, 0.45 * half, trim)
    canvas.box(x - half, waist, x + half, 1.2, shade(floor, 0.45))
    canvas.ellipse(x, torso_top, 0.5 * r, 0.3 * r, neck)

    canvas.ellipse(x, head_y, r, 1.08 * r, skin)
    fringe = ((-1, -0.3), (-0.4, -0.48), (0.3, -0.5), (1, -0.3), (0.8, -0.95), (0, -1.25), (-0.8, -0.95))
    canvas.polygon([(x + across * r, head_y + down * r) for across, down in fringe], hair)
    for side in (-1, 1):
        canvas.ellipse(x + 0.38 * side * r, head_y + 0.02 * r, 0.1 * r, 0.13 * r, _DARK)
    # A smile is an ellipse with its upper part painted over.
    canvas.ellipse(x, head_y + 0.42 * r, 0.38 * r, 0.2 * r, _MOUTH)
    canvas.ellipse(x, head_y + 0.35 * r, 0.42 * r, 0.19 * r, skin)
    return _Look(canvas.finish(), x, half, y, arm_length, arm_radius, rest_angle, sleeve, skin, shirt)


def _frames(look: _Look, arms_T22: np.ndarray) -> Iterator[np.ndarray]:
    for elbow_2, hand_2 in arms_T22:
        frame = look.backdrop.copy()
        for side in (-1, 1):
            _paint_arm(frame, look, elbow_2, hand_2, side)
        yield np.rint(255 * frame).astype(np.uint8)


def _paint_arm(frame_YXC: np.ndarray, look: _Look, elbow_2: np.ndarray, hand_2: np.ndarray, side: int) -> None:
    """Paint one arm; `side` is 1 for the one on the image's right, −1 for its mirror image."""

    def point(x: float, y: float) -> np.ndarray:
        return np.array([look.centre_x + side * x, y])

    shoulder = point(look.shoulder_x - 0.3 * look.arm_radius, look.shoulder_y)
    elbow, hand = point(*elbow_2), point(*hand_2)
    wrist = elbow + 0.86 * (hand - elbow)
    cuff = shoulder + look.sleeve * (elbow - shoulder)
    r, edge = look.arm_radius, 0.009
    outline = shade(look.skin, 0.55)
    for extra, skin, shirt in ((edge, outline, shade(look.shirt, 0.55)), (0.0, look.skin, look.shirt)):
        _paint_limb(frame_YXC, elbow, wrist, 0.92 * r + extra, 0.75 * r + extra, skin)
        _paint_limb(frame_YXC, shoulder, elbow, 0.95 * r + extra, 0.92 * r + extra, skin)
        _paint_limb(frame_YXC, wrist, hand, 1.0 * r + extra, 1.2 * r + extra, skin)
        _paint_limb(frame_YXC, shoulder, cuff, 1.08 * r + extra, 1.12 * r + extra, shirt)


def _paint_limb(
    frame_YXC: np.ndarray, start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float, colour: Colour
) -> None:
    """Paint a round-ended limb between two points (x, y), antialiased by each pixel's distance from its edge."""
    size = len(frame_YXC)
    radius = max(start_radius, end_radius) + 1 / size
    low = np.clip(np.floor((np.minimum(start, end) - radius) * size), 0, size).astype(int)
    high = np.clip(np.ceil((np.maximum(start, end) + radius) * size), 0, size).astype(int)
    region_YXC = frame_YXC[low[1] : high[1], low[0] : high[0]]
    x_X = (np.arange(low[0], high[0], dtype=np.float32) + 0.5) / size - float(start[0])
    y_Y1 = (np.arange(low[1], high[1], dtype=np.float32)[:, None] + 0.5) / size - float(start[1])
    bone_x, bone_y = (end - start).tolist()
    along_YX = np.clip((x_X * bone_x + y_Y1 * bone_y) / (bone_x**2 + bone_y**2), 0, 1)
    distance_YX = np.hypot(x_X - along_YX * bone_x, y_Y1 - along_YX * bone_y)
    inside_YX = start_radius + along_YX * (end_radius - start_radius) - distance_YX
    lay_over(region_YXC, colour, coverage(inside_YX, size))
