"""How much nuisance a synthetic video has: what real recordings hold beside what sound and image determine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["off", "moderate", "strong"]


@dataclass(frozen=True)
class Nuisance:
    """Sizes of all disturbances; "sides" are sides of the image, and what varies over time is given as its RMS."""

    sway_sides: float  # of a person's head and body, on each axis
    sway_degrees: float
    shake_sides: float  # of the camera, on each axis
    shake_degrees: float
    exposure_stops: float
    sensor_noise: float  # of a white pixel, in [0, 1]; less in the dark
    crf: int  # of H.264: coding noise
    branches: int  # that sway in the wind in the upper corners, 0 to 2
    branch_degrees: float
    room_noise_db: float  # relative to the RMS of the sound, as the next two
    reverberation_db: float
    distant_sounds_db: float
    reverberation_seconds: float  # until it has fallen by 60 dB


# Heads in the GRID corpus sway by 0.002 to 0.008 sides within 3 s, about what a moderate sway does from end to end. Of
# 160 clips, 40 per domain, the default limits of `prepare` keep nearly all, with moderate nuisance as with strong.
LEVELS: Mapping[Level, Nuisance | None] = {
    "off": None,
    "moderate": Nuisance(
        sway_sides=0.003,
        sway_degrees=0.4,
        shake_sides=0.006,
        shake_degrees=0.2,
        exposure_stops=0.1,
        sensor_noise=0.01,
        crf=24,
        branches=1,
        branch_degrees=4,
        room_noise_db=-25,
        reverberation_db=-8,
        distant_sounds_db=-20,
        reverberation_seconds=0.35,
    ),
    "strong": Nuisance(
        sway_sides=0.008,
        sway_degrees=1.0,
        shake_sides=0.015,
        shake_degrees=0.6,
        exposure_stops=0.3,
        sensor_noise=0.03,
        crf=30,
        branches=2,
        branch_degrees=8,
        room_noise_db=-14,
        reverberation_db=-3,
        distant_sounds_db=-10,
        reverberation_seconds=0.8,
    ),
}
