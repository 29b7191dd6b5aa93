"""From a checkpoint, one picture and a sound of any length to a video with that sound."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePath

import numpy as np
import torch
from torch import Tensor

from s2v_ray.config import Config
from s2v_ray.dataset.pixels import centre_crop, to_bytes, wave_to_float
from s2v_ray.errors import UserError
from s2v_ray.media.audio_file import read_sound
from s2v_ray.media.clock import samples_per_frame
from s2v_ray.media.encode import AAC_SAMPLE_RATES, COMMON_SAMPLE_RATE, write_video
from s2v_ray.media.image import read_image
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.storage.files import is_folder
from s2v_ray.storage.paths import base_name
from s2v_ray.training.checkpoint import find_checkpoint, load_model

_FRAMES_AT_ONCE = 64
_WINDOWS_AT_ONCE = 8


@dataclass(frozen=True)
class Generated:
    """What was written."""

    path: str
    frames: int
    frame_rate: Fraction


def generate(
    checkpoint: str,
    image: str,
    sound: str,
    out: str,
    device: torch.device,
    show: Callable[[float, str], None] = lambda done, text: None,
) -> Generated:
    """Write to `out` (.mp4) the video that `sound` makes of `image`, as long as the sound to within a frame.

    Memory is flat in the pictures: they are made and encoded some at a time. Raises UserError for what can't be read.
    """
    if PurePath(base_name(out)).suffix.lower() != ".mp4":
        raise UserError(f"--out '{out}' must end in .mp4, the format of the video.")
    if is_folder(out):
        raise UserError(f"--out '{out}' is a folder; name a file in it, such as {out}/video.mp4.")
    model, config, _ = load_model(find_checkpoint(checkpoint))
    picture_CHW = centre_crop(read_image(image, config.clips.stored_size)[None], config.data.resolution)[0]
    wave = read_sound(sound, config.clips.sample_rate)
    # A model of a rate that AAC lacks hears at its own, and the file carries a common one.
    sample_rate = config.clips.sample_rate if config.clips.sample_rate in AAC_SAMPLE_RATES else COMMON_SAMPLE_RATE
    heard = wave if sample_rate == config.clips.sample_rate else read_sound(sound, sample_rate)
    rate = Fraction(config.clips.frame_rate)
    length = -(-len(wave) // samples_per_frame(config.clips.sample_rate, rate))
    frames = generate_frames(model.to(device), config, picture_CHW.to(device), wave)
    write_video(out, _counted(frames, length, show), heard, frame_rate=rate, sample_rate=sample_rate)
    return Generated(out, length, rate)


def _counted(frames: Iterator[np.ndarray], length: int, show: Callable[[float, str], None]) -> Iterator[np.ndarray]:
    for number, frame in enumerate(frames, start=1):
        yield frame
        show(number / length, f"{number} of {length} frames")


def generate_frames(model: SoundToVideo, config: Config, picture_CHW: Tensor, wave: np.ndarray) -> Iterator[np.ndarray]:
    """One uint8 [H, W, 3] frame after the other, for int16 samples [S]; the last frame may outlast the sound."""
    with torch.no_grad():
        sound_TD = sound_features(model, config, torch.from_numpy(wave).to(picture_CHW.device))
        maps = model.unet.encode(picture_CHW.unsqueeze(0))
        for some_TD in sound_TD.split(_FRAMES_AT_ONCE):
            video_TCHW = model.unet.decode(maps, some_TD.unsqueeze(0))[0]
            yield from to_bytes(video_TCHW).cpu().numpy()


def sound_features(model: SoundToVideo, config: Config, wave: Tensor) -> Tensor:
    """Features [T, D] of int16 samples [S].

    A sound longer than a clip is heard in windows as long as the clips of training, each overlapping half of the
    next; where they overlap, their features are averaged, weighted by the distance to the window's edges.
    """
    size = samples_per_frame(config.clips.sample_rate, Fraction(config.clips.frame_rate))
    whole = torch.nn.functional.pad(wave_to_float(wave), (0, -len(wave) % size))
    total, window = len(whole) // size, config.clips.frames
    if total <= window:
        return model.sound_encoder(whole.unsqueeze(0))[0]
    starts = [*range(0, total - window, window // 2), total - window]
    places = torch.arange(window, device=wave.device)
    weight_T1 = torch.minimum(places + 1, window - places).unsqueeze(1).float()
    sum_TD = torch.zeros(total, model.sound_encoder.features, device=wave.device)
    weights_T1 = torch.zeros(total, 1, device=wave.device)
    for first in range(0, len(starts), _WINDOWS_AT_ONCE):
        some = starts[first : first + _WINDOWS_AT_ONCE]
        heard_BS = torch.stack([whole[start * size : (start + window) * size] for start in some])
        for start, features_TD in zip(some, model.sound_encoder(heard_BS), strict=True):
            sum_TD[start : start + window] += weight_T1 * features_TD
            weights_T1[start : start + window] += weight_T1
    return sum_TD / weights_T1
