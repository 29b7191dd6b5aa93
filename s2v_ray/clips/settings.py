"""What all clips of a data set have in common, and how their windows were chosen."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from fractions import Fraction

from s2v_ray.config import ClipConfig, UserError
from s2v_ray.media.clock import parse_frame_rate, samples_per_frame

_LEAST_FRAMES = 4  # what a lag can be measured on


@dataclass(frozen=True)
class ClipSettings:
    """Rates and sizes of every clip, and the choice of windows.

    `stride_seconds` above zero slides a window over each source; otherwise `clips_per_source` windows are cut at
    random.
    """

    frame_rate: str
    sample_rate: int
    frames: int
    stored_size: int
    clips_per_source: int
    stride_seconds: float
    seed: int

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return Fraction(self.frame_rate)

    @property
    def seconds(self) -> Fraction:
        """How long a clip lasts."""
        return self.frames / self.rate

    @property
    def samples_per_frame(self) -> int:
        """Samples that one frame lasts."""
        return samples_per_frame(self.sample_rate, self.rate)

    @property
    def fingerprint(self) -> str:
        """A stable hash: clips of equal fingerprints may stand in one data set."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def clip_config(self) -> ClipConfig:
        """The part that a model depends on."""
        return ClipConfig(self.frame_rate, self.sample_rate, self.frames, self.stored_size)


def clip_settings(
    *,
    clip_seconds: float = 4.0,
    frame_rate: str = "30",
    sample_rate: int = 44100,
    stored_size: int = 72,
    clips_per_source: int = 4,
    stride_seconds: float = 0.0,
    seed: int = 0,
) -> ClipSettings:
    """Settings checked: rates that divide, a whole number of frames a clip, sizes and counts above zero."""
    rate = parse_frame_rate(frame_rate)
    samples_per_frame(sample_rate, rate)
    if not (math.isfinite(clip_seconds) and math.isfinite(stride_seconds)):
        raise UserError(f"--clip-seconds {clip_seconds} and --stride-seconds {stride_seconds} must be finite numbers.")
    frames = Fraction(str(clip_seconds)) * rate
    if frames.denominator != 1 or frames < _LEAST_FRAMES:
        nearest = max(_LEAST_FRAMES, round(frames))
        raise UserError(
            f"--clip-seconds {clip_seconds} at {rate} frames a second is {float(frames):g} frames, "
            f"but must be a whole number of at least {_LEAST_FRAMES}; use --clip-seconds {float(nearest / rate):g}."
        )
    for flag, value, least in (
        ("--stored-size", stored_size, 8),
        ("--clips-per-source", clips_per_source, 1),
        ("--stride-seconds", stride_seconds, 0),
        ("--seed", seed, 0),
    ):
        if value < least:
            raise UserError(f"{flag} is {value}, but must be at least {least}.")
    return ClipSettings(str(rate), sample_rate, int(frames), stored_size, clips_per_source, stride_seconds, seed)
