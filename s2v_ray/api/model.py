"""A checkpoint's model, loaded once, that makes any number of videos."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path as LocalPath
from typing import get_args

import numpy as np
from PIL import Image

from s2v_ray.api.inputs import Path, location, naming_arguments
from s2v_ray.api.progress import progress_bar
from s2v_ray.api.samples import write_samples
from s2v_ray.api.video import Video
from s2v_ray.config import Config
from s2v_ray.dataset.settings import AUTO
from s2v_ray.errors import UserError
from s2v_ray.generation.video import (
    DEFAULT_MAX_SIDE,
    Generated,
    Generator,
    Options,
    Size,
    load_generator,
    make_video,
    start_video,
)
from s2v_ray.storage.own_folders import check_not_input, check_not_special
from s2v_ray.training.device import choose_device

Picture = Path | Image.Image | np.ndarray
Sound = Path | tuple[np.ndarray, int]


@naming_arguments()
def load(checkpoint: Path, *, device: str = "auto") -> "Model":
    """Load a run's best checkpoint, one checkpoint, or what `s2v export` wrote, and keep it.

    `device` is auto (a GPU if there is one), cpu, or cuda. Raises UserError `no_checkpoint`, `damaged_checkpoint`,
    `unknown_device` or `no_such_gpu`.
    """
    return Model(load_generator(location(checkpoint, "--checkpoint"), choose_device(device)))


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A model that is loaded; make one by `load`."""

    generator: Generator

    @property
    def config(self) -> Config:
        """The settings that it was trained with."""
        return self.generator.config

    @naming_arguments()
    def generate(
        self,
        image: Picture,
        sound: Sound,
        *,
        size: Size = "whole",
        max_side: int = DEFAULT_MAX_SIDE,
        region: str = AUTO,
        strength: float = 1.0,
        background: str = "white",
        image_time: float = 0.0,
        audio_track: int = 0,
        progress: bool = True,
    ) -> Video:
        """The video that a sound of any length makes of an image, in memory: T · H · W · 3 bytes. See `write`, too.

        Args:
            image: the path or URI of an image or a video, a PIL image, or uint8 pixels, RGB [H, W, 3], RGBA [H, W, 4]
                or grey [H, W].
            sound: the path or URI of a sound or a video, or (samples, sample_rate): int16 or floats in [-1, 1],
                [S] or [S, channels].
            size: whole (all of the image, of which the region moves) or model (the region alone, at the model's size).
            max_side: the most pixels of the longer side, 16 to 8192; a larger image is reduced, none is enlarged.
            region: the square that moves: auto (where it looks like the training clips; if that is unsure, the
                centre), centre, or x,y,size in pixels of the image.
            strength: how much the sound does, 0 to 4: 0 shows the mean of the video, 1 what the model makes.
            background: the colour behind what is transparent, a CSS name or #rrggbb.
            image_time: which frame of a video is the image, in seconds from its start.
            audio_track: which audio track of a file to take, counted from 1; 0 is the first that works.
            progress: whether to show progress.

        Raises UserError `wrong_image` or `wrong_sound` for arrays that are none, and what the command raises, such as
        `not_found`, `unreadable_image`, `no_audio` and `out_of_range`.
        """
        _check_size(size)
        options = Options(size, max_side, region, strength, background, image_time, audio_track)
        with _files(image, sound) as files, progress_bar("generating", shown=progress, stays=False) as show:
            making = start_video(self.generator, *files, show, options)
            made = making.made
            frames_THWC = np.empty((made.frames, made.height, made.width, 3), np.uint8)
            for number, frame_HWC in enumerate(making.frames):
                frames_THWC[number] = frame_HWC
            audio = np.concatenate([np.zeros(0, np.int16), *making.sound])
        return Video(frames_THWC, made.frame_rate, audio, making.sample_rate, made.region)

    @naming_arguments()
    def write(
        self,
        out: Path,
        image: Picture,
        sound: Sound,
        *,
        size: Size = "whole",
        max_side: int = DEFAULT_MAX_SIDE,
        region: str = AUTO,
        strength: float = 1.0,
        background: str = "white",
        image_time: float = 0.0,
        audio_track: int = 0,
        progress: bool = True,
    ) -> Generated:
        """The same written to `out`, an .mp4, while it is made: memory doesn't grow with the length of the sound.

        The file is, byte for byte, that of `generate(...).save(out)` and of `s2v generate`. Returns the number of
        frames, their rate and size, and the region. Raises UserError as `generate` does, and for an `out` that can't be
        written or is one of the inputs.
        """
        _check_size(size)
        options = Options(size, max_side, region, strength, background, image_time, audio_track)
        target = location(out, "--out")
        inputs = {"--image": image, "--sound": sound}
        given = {flag: location(each, flag) for flag, each in inputs.items() if isinstance(each, str | PathLike)}
        check_not_input(target, "--out", {**given})
        with _files(image, sound) as files, progress_bar("generating", shown=progress, stays=False) as show:
            return make_video(self.generator, *files, target, show, options)

    def __repr__(self) -> str:
        side = self.config.data.resolution
        return f"Model({side} x {side}, {self.config.clips.frame_rate} frames per second, on {self.generator.device})"


@contextmanager
def _files(image: Picture, sound: Sound) -> Iterator[tuple[str | Image.Image, str]]:
    """The image and the sound as the generator takes them; samples are in a file for as long as the block lasts."""
    picture = _picture(image)
    if isinstance(sound, str | PathLike):
        yield picture, _regular(sound, "--sound")
        return
    if not (isinstance(sound, tuple) and len(sound) == 2):
        rule = "but must be a path or (samples, sample_rate)"
        raise UserError("wrong_sound", f"The sound is a {type(sound).__name__}, {rule}.")
    with tempfile.TemporaryDirectory(prefix="s2v_") as folder:
        path = LocalPath(folder) / "sound.wav"
        write_samples(path, *sound)
        yield picture, str(path)


def _check_size(size: str) -> None:
    if size not in get_args(Size):
        raise UserError("wrong_value", f"size is '{size}', but must be whole or model.")


def _picture(image: Picture) -> str | Image.Image:
    if isinstance(image, str | PathLike):
        return _regular(image, "--image")
    if isinstance(image, Image.Image):
        return image
    pixels = np.asarray(image)
    is_grey = pixels.ndim == 2
    if pixels.dtype != np.uint8 or not pixels.size or not (is_grey or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        rule = "but must be a path, a PIL image, or uint8 [H, W, 3], [H, W, 4] or [H, W]"
        raise UserError("wrong_image", f"The image is {pixels.dtype} {list(pixels.shape)}, {rule}.")
    return Image.fromarray(pixels)


def _regular(path: Path, flag: str) -> str:
    found = location(path, flag)
    check_not_special(found, flag)
    return found
