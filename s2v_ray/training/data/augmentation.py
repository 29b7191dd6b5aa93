"""The paper's augmentation, and the choice of the frames that a step generates.

Everything random about a clip in a step is a function of (seed, step, index in the global batch) alone.
"""

from dataclasses import dataclass

import numpy as np

from s2v_ray.config import Config
from s2v_ray.errors import UserError
from s2v_ray.training.data.order import Draw
from s2v_ray.training.data.pixels import crop_size, stored_size_for


@dataclass(frozen=True)
class Augmentation:
    """What is drawn at random for one clip of one step."""

    top: int
    left: int
    side: int
    frames: np.ndarray
    video_frames: np.ndarray
    image_frames: np.ndarray
    input_frame: int


def draw_augmentation(draw: Draw, config: Config) -> Augmentation:
    """The crop, the same for all frames; the frames to generate; those that D_V and D_I see.

    A window of `train_frames` consecutive frames is drawn. All of it is generated, or `frames_per_step` of its frames:
    first the T for D_V, then others at random. D_V's are evenly spaced, by a stride drawn up to `max_stride`, or the
    largest that fits.
    """
    random = np.random.default_rng([config.training.seed, draw.step, draw.index])
    stored = config.clips.stored_size
    side = crop_size(stored)
    if config.data.crop_growth:
        side += int(random.integers(0, round(config.data.crop_growth * (stored - side)), endpoint=True))
    slack = stored - side
    least = min(round(slack / 2 * (1 - config.data.crop_jitter)), slack // 2)
    top, left = random.integers(least, slack - least, size=2, endpoint=True)
    length, seen = frames_used(config), config.video_discriminator.frames
    offset = random.integers(0, config.clips.frames - length, endpoint=True)
    most = min(config.data.max_stride, (length - 1) // max(1, seen - 1))
    stride = random.integers(1, max(1, most), endpoint=True)
    start = random.integers(0, length - 1 - stride * (seen - 1), endpoint=True)
    frames, video_frames = np.arange(length), start + stride * np.arange(seen)
    if config.data.frames_per_step:
        others = np.setdiff1d(frames, video_frames)
        drawn = random.choice(others, size=config.data.frames_per_step - seen, replace=False)
        frames, video_frames = np.concatenate([video_frames, np.sort(drawn)]), np.arange(seen)
    image_frames = random.choice(len(frames), size=config.image_discriminator.frames, replace=False)
    frame = int(random.integers(config.clips.frames)) if config.data.input_frame != "first" else 0
    input_frame = frame * int(random.integers(2)) if config.data.input_frame == "mixed" else frame
    return Augmentation(int(top), int(left), side, offset + frames, video_frames, image_frames, input_frame)


def frames_used(config: Config) -> int:
    """How many consecutive frames of a clip a step may use. Raises UserError if the settings don't fit together."""
    clip, data = config.clips, config.data
    length = data.train_frames or clip.frames
    generated = data.frames_per_step or length
    for name, frames, most, limit in (
        ("data.train_frames", length, clip.frames, "the frames of these clips (0 takes them all)"),
        ("data.frames_per_step", generated, length, "the frames of a clip that a step may use (0 generates them all)"),
        (
            "video_discriminator.frames",
            config.video_discriminator.frames,
            generated,
            "the frames that a step generates",
        ),
        (
            "image_discriminator.frames",
            config.image_discriminator.frames,
            generated,
            "the frames that a step generates",
        ),
    ):
        if frames > most:
            flag = f"--{name.replace('_', '-')}"
            raise UserError("out_of_range", f"{name} is {frames}, but {flag} must be at most {most}, {limit}.")
    if crop_size(clip.stored_size) < data.resolution:
        raise UserError(
            "clips_too_small",
            f"data.resolution is {data.resolution}, but clips stored at {clip.stored_size} pixels give crops of "
            f"{crop_size(clip.stored_size)} pixels; prepare them with --stored-size "
            f"{stored_size_for(data.resolution)}, or train at a lower resolution.",
        )
    return length
