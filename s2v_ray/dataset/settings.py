"""What all clips of a data set have in common, and how they are cut."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from s2v_ray.config import ClipConfig
from s2v_ray.config.schema import MAX_SAMPLE_RATE
from s2v_ray.dataset.measures import QualityLimits
from s2v_ray.dataset.typed import typed
from s2v_ray.errors import UserError
from s2v_ray.media.clock import parse_frame_rate, samples_per_frame
from s2v_ray.media.decoding.limits import Limits
from s2v_ray.media.decoding.rgb import Crop

_LEAST_FRAMES = 4  # to measure a lag on

AUTO, OFF = "auto", "off"
CENTRE, MOTION = "centre", "motion"
CAMERA, SUBJECT = "camera", "subject"


@dataclass(frozen=True)
class ClipSettings:
    """Everything that a clip depends on besides its source."""

    frame_rate: str
    sample_rate: int
    frames: int
    stored_size: int
    clips_per_source: int  # windows cut at random, where `stride_seconds` is zero
    stride_seconds: float  # above zero: how far a window slides over each source
    seed: int
    crop: str  # "auto", "centre", "motion" (the square that moves with the sound) or "x,y,size" in pixels
    fix_lag: bool  # whether a source's sound is shifted by the lag that most of its windows agree on
    quality: QualityLimits
    limits: Limits
    stabilize: str = OFF  # "auto", "off", "camera" (undo its motion) or "subject" (follow what surrounds the crop)
    audio_track: int = 0  # of the file, counted from 1; 0: the first that has a decoder and sounds
    video_track: int = 0  # likewise, the first that has a decoder and moves
    auto: tuple[str, ...] = ()  # of "clip_seconds" and "frame_rate", those that are to be chosen by the videos

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return Fraction(self.frame_rate)

    @property
    def seconds(self) -> Fraction:
        """Duration of a clip."""
        return self.frames / self.rate

    @property
    def samples_per_frame(self) -> int:
        """Samples of sound a frame."""
        return samples_per_frame(self.sample_rate, self.rate)

    @property
    def fingerprint(self) -> str:
        """A stable hash: clips with equal fingerprints may be in one data set."""
        values = {name: value for name, value in asdict(self).items() if name != "auto"}
        if self.stabilize == OFF:  # as before there was a choice: runs on such clips resume
            del values["stabilize"]
        for name in ("audio_track", "video_track"):  # likewise
            if not values[name]:
                del values[name]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def clip_config(self) -> ClipConfig:
        """The part that a model depends on."""
        return ClipConfig(self.frame_rate, self.sample_rate, self.frames, self.stored_size)

    def fixed_crop(self) -> Crop | None:
        """The square in `crop`; None if it depends on the source."""
        return None if self.crop in (AUTO, CENTRE, MOTION) else Crop(*map(int, self.crop.split(",")))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ClipSettings":
        """Settings as `asdict` made them. Raises TypeError, KeyError or ValueError for anything else."""
        settings: ClipSettings = typed(values, cls)
        counts = (settings.sample_rate, settings.frames, settings.stored_size, settings.clips_per_source)
        if min(counts) < 1 or settings.sample_rate > MAX_SAMPLE_RATE:
            raise ValueError(f"{values} are out of range")
        if not (math.isfinite(settings.stride_seconds) and settings.stride_seconds >= 0):
            raise ValueError(f"{values} are out of range")
        check_crop(settings.crop)
        check_stabilize(settings.stabilize)
        samples_per_frame(settings.sample_rate, parse_frame_rate(settings.frame_rate))
        return settings


DEFAULT_SECONDS, DEFAULT_FRAME_RATE = 4.0, "30"


def check_crop(crop: str) -> None:
    """Raise ValueError, with the rule, unless `crop` says how to crop."""
    if crop not in (AUTO, CENTRE, MOTION) and not re.fullmatch(r"\d+,\d+,[1-9]\d*", crop):
        raise ValueError(f"crop is '{crop}', but must be auto, centre, motion, or x,y,size in pixels")


def check_stabilize(stabilize: str) -> None:
    """Raise ValueError, with the rule, unless `stabilize` says what to stabilise."""
    if stabilize not in (AUTO, CAMERA, SUBJECT, OFF):
        raise ValueError(f"stabilize is '{stabilize}', but must be auto, camera, subject or off")


def clip_settings(
    *,
    clip_seconds: float | Literal["auto"] = "auto",
    frame_rate: str = AUTO,
    sample_rate: int = 44100,
    stored_size: int = 72,
    clips_per_source: int = 4,
    stride_seconds: float = 0.0,
    seed: int = 0,
    crop: str = AUTO,
    stabilize: str = AUTO,
    fix_lag: bool = False,
    audio_track: int = 0,
    video_track: int = 0,
    quality: QualityLimits = QualityLimits(),
    limits: Limits = Limits(),
) -> ClipSettings:
    """Checked settings. Raises UserError unless rates divide, a clip has whole frames, and sizes are in range.

    Args:
        clip_seconds: length of a clip; auto is 4, to the nearest frame, or less where many videos are shorter.
        frame_rate: frames per second of the clips, such as 25 or 30000/1001; auto is that of the videos if nine of ten
            have the same of 24, 25 and 30, and it divides the sample rate, and otherwise 30.
        sample_rate: sample rate of the sound in Hz, a multiple of the frame rate.
        stored_size: height and width of the stored frames in pixels; training crops 256/286 of it.
        clips_per_source: how many clips are cut at random from each video.
        stride_seconds: if above 0, clips start this far apart instead of at random.
        seed: seed for the random starts.
        crop: centre, motion (the square that moves with the sound), auto (motion where it is clear, else centre), or
            x,y,size in pixels.
        stabilize: camera (undo the motion of a hand-held one), subject (follow what surrounds the crop, such as a head
            that sways), off, or auto (what the video needs).
        fix_lag: shift a video's sound by the lag that its windows agree on.
        audio_track: which audio track to take where a video has several, counted from 1; 0 is the first that has a
            decoder and sounds.
        video_track: which video track, likewise; 0 is the first that has a decoder and moves.
        quality: limits on a clip's quality.
        limits: the most that preparing a video may cost.
    """
    auto = [name for name, value in (("clip_seconds", clip_seconds), ("frame_rate", frame_rate)) if value == AUTO]
    clip_seconds = DEFAULT_SECONDS if clip_seconds == "auto" else clip_seconds
    rate = parse_frame_rate(DEFAULT_FRAME_RATE if frame_rate == AUTO else frame_rate)
    samples_per_frame(sample_rate, rate)
    if sample_rate > MAX_SAMPLE_RATE:
        raise UserError("out_of_range", f"--sample-rate is {sample_rate}, but must be at most {MAX_SAMPLE_RATE} Hz.")
    if not (math.isfinite(clip_seconds) and math.isfinite(stride_seconds)):
        values = f"--clip-seconds {clip_seconds} and --stride-seconds {stride_seconds}"
        raise UserError("out_of_range", f"{values} must be finite numbers.")
    frames = Fraction(str(clip_seconds)) * rate
    if "clip_seconds" in auto:
        frames = Fraction(round(frames))
    if frames.denominator != 1 or frames < _LEAST_FRAMES:
        nearest = max(_LEAST_FRAMES, round(frames))
        raise UserError(
            "out_of_range",
            f"--clip-seconds {clip_seconds} at {rate} frames a second is {float(frames):g} frames, "
            f"but must be a whole number of at least {_LEAST_FRAMES}; use --clip-seconds {float(nearest / rate):g}.",
        )
    for flag, value, least in (
        ("--stored-size", stored_size, 8),
        ("--clips-per-source", clips_per_source, 1),
        ("--stride-seconds", stride_seconds, 0),
        ("--seed", seed, 0),
        ("--audio-track", audio_track, 0),
        ("--video-track", video_track, 0),
    ):
        if value < least:
            raise UserError("out_of_range", f"{flag} is {value}, but must be at least {least}.")
    checks = (("wrong_crop", check_crop, crop), ("wrong_stabilize", check_stabilize, stabilize))
    for code, check, setting in checks:
        try:
            check(setting)
        except ValueError as error:
            raise UserError(code, f"--{error}.") from None
    cut = (clips_per_source, stride_seconds, seed, crop, fix_lag)
    settings = ClipSettings(str(rate), sample_rate, int(frames), stored_size, *cut, quality, limits, stabilize)
    return replace(settings, audio_track=audio_track, video_track=video_track, auto=tuple(auto))
