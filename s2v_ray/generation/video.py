"""From files to a file: a checkpoint, a picture and a sound to the video that the sound makes of the picture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePath
from typing import Literal

import numpy as np
import torch
from PIL import Image

from s2v_ray.config import Config
from s2v_ray.dataset.settings import AUTO, CENTRE
from s2v_ray.errors import UserError
from s2v_ray.generation.composing import whole_frames
from s2v_ray.generation.frames import image_changes, square_frames
from s2v_ray.generation.picture import box_in, model_image, reduced_picture
from s2v_ray.generation.region import Region, check_region, find_region
from s2v_ray.generation.sound import frame_count, sound_features
from s2v_ray.media.audio_file import ANY_LENGTH, count_samples, sound_blocks
from s2v_ray.media.decoding.limits import Limits
from s2v_ray.media.encode import AAC_SAMPLE_RATES, COMMON_SAMPLE_RATE, write_video
from s2v_ray.media.image import flat_picture, read_picture
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.storage.files import is_folder
from s2v_ray.storage.paths import base_name
from s2v_ray.training.checkpoint import load_model_and_mean_frame
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.data.pixels import crop_size

Size = Literal["whole", "model"]
MAX_STRENGTH = 4.0
DEFAULT_MAX_SIDE = 1280
_LEAST_MAX_SIDE, _MOST_MAX_SIDE = 16, 8192


@dataclass(frozen=True)
class Options:
    """How a video is made of a picture.

    `size` "whole" is the whole picture, reduced where a side has more than `max_side` pixels; "model" the square alone,
    at the model's resolution. For `region` see `find_region`; for `strength`, which is from 0 to 4, `scaled`. What is
    transparent is laid over `background`, a CSS colour; of a video the frame at `image_seconds` is the picture.
    `audio_track` is that of the sound, counted from 1; 0 is the first that sounds. Raises UserError for a strength, a
    `max_side` or a region that isn't one.
    """

    size: Size = "whole"
    max_side: int = DEFAULT_MAX_SIDE
    region: str = AUTO
    strength: float = 1.0
    background: str = "white"
    image_seconds: float = 0.0
    audio_track: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= MAX_STRENGTH:  # NaN isn't either
            rule = f"but must be from 0 (the sound does nothing) to {MAX_STRENGTH:g}; 1 is the model's own"
            raise UserError("out_of_range", f"--strength is {self.strength:g}, {rule}.")
        if not _LEAST_MAX_SIDE <= self.max_side <= _MOST_MAX_SIDE:
            rule = f"but must be from {_LEAST_MAX_SIDE} to {_MOST_MAX_SIDE} pixels"
            raise UserError("out_of_range", f"--max-side is {self.max_side}, {rule}.")
        check_region(self.region)


@dataclass(frozen=True)
class Generated:
    """What is made: the number of frames, their rate and size, and the square of the picture that moves."""

    frames: int
    frame_rate: Fraction
    width: int
    height: int
    region: Region


@dataclass(frozen=True)
class Generator:
    """A checkpoint's model, loaded once for any number of videos, on the device where it runs.

    `mean_CHW` is the mean training frame, [3, R, R] in [-1, 1], None where the checkpoint has none.
    """

    model: SoundToVideo
    config: Config
    mean_CHW: torch.Tensor | None
    device: torch.device


@dataclass(frozen=True)
class Making:
    """A video that is made as its `frames`, uint8 RGB [H, W, 3], and its sound, int16 mono in blocks, are taken."""

    frames: Iterator[np.ndarray]
    sound: Iterator[np.ndarray]
    sample_rate: int
    made: Generated


def load_generator(checkpoint: str, device: torch.device) -> Generator:
    """Load a run's best checkpoint, or one checkpoint. Raises UserError for one that can't be read."""
    model, config, mean_CHW = load_model_and_mean_frame(find_checkpoint(checkpoint))
    return Generator(model.to(device), config, mean_CHW, device)


def generate(
    checkpoint: str,
    image: str,
    sound: str,
    out: str,
    device: torch.device,
    on_progress: Callable[[float, str], None] = lambda fraction, text: None,
    options: Options = Options(),
) -> Generated:
    """Load a checkpoint for one video; `make_video` says the rest."""
    check_video_name(out)
    return make_video(load_generator(checkpoint, device), image, sound, out, on_progress, options)


def make_video(
    generator: Generator,
    image: str | Image.Image,
    sound: str,
    out: str,
    on_progress: Callable[[float, str], None] = lambda fraction, text: None,
    options: Options = Options(),
    limits: Limits = ANY_LENGTH,
) -> Generated:
    """Write to `out` (.mp4) the video that `sound` makes of `image`, as long as the sound to within a frame.

    Sound is read, and frames are made and encoded, a little at a time, so that memory doesn't grow with their number.
    `on_progress` gets the fraction done and a text; what it raises ends the work, and nothing is left at `out`. Raises
    UserError for an `out` that can't be written, and for an image or a sound that can't be read; `too_long` for a sound
    beyond the `limits`.
    """
    check_video_name(out)
    making = start_video(generator, image, sound, on_progress, options, limits)
    rate = making.made.frame_rate
    write_video(out, making.frames, making.sound, frame_rate=rate, sample_rate=making.sample_rate)
    return making.made


def start_video(
    generator: Generator,
    image: str | Image.Image,
    sound: str,
    on_progress: Callable[[float, str], None] = lambda fraction, text: None,
    options: Options = Options(),
    limits: Limits = ANY_LENGTH,
) -> Making:
    """The video that `sound` makes of `image`, to be made while it is taken. Raises what `make_video` does."""
    model, config, device = generator.model, generator.config, generator.device
    picture_HWC, region = picture_and_region(generator, image, options)
    small_HWC = reduced_picture(picture_HWC, options.max_side)
    box = box_in(region.square, picture_HWC, small_HWC)
    image_CHW = model_image(picture_HWC, small_HWC, box, config.data.resolution).to(device)
    model_sample_rate, frame_rate = config.clips.sample_rate, Fraction(config.clips.frame_rate)
    sample_count = count_samples(sound, model_sample_rate, audio_track=options.audio_track, limits=limits)
    frames_in_all = frame_count(config, sample_count)

    def features() -> Iterator[torch.Tensor]:
        blocks = sound_blocks(sound, model_sample_rate, sample_count=sample_count, audio_track=options.audio_track)
        return sound_features(model, config, blocks, sample_count, device)

    def frames() -> Iterator[np.ndarray]:
        with torch.no_grad():
            image_BCHW, changed = image_changes(model, image_CHW, features, frames_in_all, strength=options.strength)
            square_only = options.size == "model"
            made = square_frames(image_BCHW, changed) if square_only else whole_frames(small_HWC, box, changed)
            for number, frame_HWC in enumerate(made, start=1):
                yield frame_HWC
                on_progress(number / frames_in_all, f"{number} of {frames_in_all} frames")

    # Where AAC lacks the model's sample rate, the file gets the sound at a common one.
    file_sample_rate = model_sample_rate if model_sample_rate in AAC_SAMPLE_RATES else COMMON_SAMPLE_RATE
    known_count = sample_count if file_sample_rate == model_sample_rate else None
    blocks = sound_blocks(sound, file_sample_rate, sample_count=known_count, audio_track=options.audio_track)
    height, width = (config.data.resolution,) * 2 if options.size == "model" else small_HWC.shape[:2]
    made = Generated(frames_in_all, frame_rate, width, height, region)
    return Making(frames(), blocks, file_sample_rate, made)


def picture_and_region(
    generator: Generator, image: str | Image.Image, options: Options = Options()
) -> tuple[np.ndarray, Region]:
    """The picture of a file, uint8 RGB [H, W, 3], and the square of it that will move. Raises UserError as both do."""
    if isinstance(image, Image.Image):
        picture_HWC = flat_picture(image, image_seconds=options.image_seconds, background=options.background)
    else:
        picture_HWC = read_picture(
            image,
            image_seconds=options.image_seconds,
            background=options.background,
            may_reduce=options.region in (AUTO, CENTRE),  # which are of whatever is read, while x,y,size is of the file
        )
    return picture_HWC, find_region(options.region, picture_HWC, generator.mean_CHW, known_part(generator.config))


def known_part(config: Config) -> float:
    """How much of the side of whole stored frames, the middle of it, the largest crops of the training had."""
    stored = config.clips.stored_size
    largest = crop_size(stored) + round(config.data.crop_growth * (stored - crop_size(stored)))
    return largest / stored


def check_video_name(out: str) -> None:
    """Raise UserError unless `out` may be a video's path or URI."""
    if PurePath(base_name(out)).suffix.lower() != ".mp4":
        raise UserError("unsupported_format", f"--out '{out}' must end in .mp4, the format of the video.")
    if is_folder(out):
        raise UserError("is_folder", f"--out '{out}' is a folder; name a file in it, such as {out}/video.mp4.")
