"""From a checkpoint, an image and a sound of any length to a video with that sound."""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import PurePath

import numpy as np
import torch
from torch import Tensor

from s2v_ray.config import Config
from s2v_ray.dataset.settings import CENTRE
from s2v_ray.errors import UserError
from s2v_ray.media.audio_file import read_sound
from s2v_ray.media.clock import samples_per_frame
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.media.encode import AAC_SAMPLE_RATES, COMMON_SAMPLE_RATE, write_video
from s2v_ray.media.image import read_image
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.storage.files import is_folder
from s2v_ray.storage.paths import base_name
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.data.pixels import centre_crop, to_bytes, wave_to_float

MAX_STRENGTH = 4.0
_FRAMES_PER_CHUNK = 64
_MEAN_FRAMES = 64
_WINDOWS_PER_BATCH = 8


def generate(
    checkpoint: str,
    image: str,
    sound: str,
    out: str,
    device: torch.device,
    on_progress: Callable[[float, str], None] = lambda fraction, text: None,
    *,
    strength: float = 1.0,
    region: str = CENTRE,
    audio_track: int = 0,
) -> tuple[int, Fraction]:
    """Write to `out` (.mp4) the video that `sound` makes of `image`, as long as the sound to within a frame.

    Returns the number of frames and their rate. They are made and encoded a chunk at a time, so that memory doesn't
    grow with their number. `region` is the square of the image that is used: "centre", or "x,y,size" in its pixels; one
    framed as the training clips are works best. `strength` scales what the sound does, see `generate_frames`.
    `audio_track` is that of `sound`, counted from 1; 0 is the first that sounds.
    `on_progress` gets the fraction done and a text. Raises UserError for a `strength` or a `region` out of range, for
    an `out` that can't be written, and for a checkpoint, an image or a sound that can't be read.
    """
    if not 0 <= strength <= MAX_STRENGTH:  # NaN isn't either
        rule = f"but must be from 0 (the sound does nothing) to {MAX_STRENGTH:g}; 1 is the model's own"
        raise UserError("out_of_range", f"--strength is {strength:g}, {rule}.")
    if PurePath(base_name(out)).suffix.lower() != ".mp4":
        raise UserError("unsupported_format", f"--out '{out}' must end in .mp4, the format of the video.")
    if is_folder(out):
        raise UserError("is_folder", f"--out '{out}' is a folder; name a file in it, such as {out}/video.mp4.")
    square = _square(region)
    model, config, _ = load_model(find_checkpoint(checkpoint))
    image_CHW = centre_crop(read_image(image, config.clips.stored_size, square)[None], config.data.resolution)[0]
    model_sample_rate, frame_rate = config.clips.sample_rate, Fraction(config.clips.frame_rate)
    wave = read_sound(sound, model_sample_rate, audio_track=audio_track)
    # Where AAC lacks the model's sample rate, the file gets the sound at a common one.
    file_sample_rate = model_sample_rate if model_sample_rate in AAC_SAMPLE_RATES else COMMON_SAMPLE_RATE
    same_rate = file_sample_rate == model_sample_rate
    file_wave = wave if same_rate else read_sound(sound, file_sample_rate, audio_track=audio_track)
    frame_count = -(-len(wave) // samples_per_frame(model_sample_rate, frame_rate))

    def frames() -> Iterator[np.ndarray]:
        made = generate_frames(model.to(device), config, image_CHW.to(device), wave, strength=strength)
        for number, frame in enumerate(made, start=1):
            yield frame
            on_progress(number / frame_count, f"{number} of {frame_count} frames")

    write_video(out, frames(), file_wave, frame_rate=frame_rate, sample_rate=file_sample_rate)
    return frame_count, frame_rate


def _square(region: str) -> Crop | None:
    if region == CENTRE:
        return None
    if not re.fullmatch(r"\d+,\d+,[1-9]\d*", region):
        raise UserError(
            "wrong_region", f"--region is '{region}', but must be centre, or x,y,size in the image's pixels."
        )
    return Crop(*map(int, region.split(",")))


def generate_frames(
    model: SoundToVideo, config: Config, image_CHW: Tensor, wave: np.ndarray, *, strength: float = 1.0
) -> Iterator[np.ndarray]:
    """The frames, uint8 [H, W, 3] one by one, of an image [3, H, W] in [-1, 1] and int16 samples [S].

    There are as many as cover the sound; the last one may end after it. With a `strength` other than 1, each is
    mean + strength · (frame − mean): 0 is a still video of the mean, 2 exaggerates. The mean is over up to 64 of the
    model's frames, evenly spaced over the sound.
    """
    with torch.no_grad():
        sound_TD = sound_features(model, config, torch.from_numpy(wave).to(image_CHW.device))
        maps = model.unet.encode(image_CHW.unsqueeze(0))
        if strength != 1:
            frame_F = torch.linspace(0, len(sound_TD) - 1, min(len(sound_TD), _MEAN_FRAMES)).round().long()
            mean_CHW = model.unet.decode(maps, sound_TD[frame_F].unsqueeze(0))[0].mean(0)
        for chunk_TD in torch.split(sound_TD, _FRAMES_PER_CHUNK):
            video_TCHW = model.unet.decode(maps, chunk_TD.unsqueeze(0))[0]
            if strength != 1:
                video_TCHW = torch.lerp(mean_CHW, video_TCHW, strength)
            yield from to_bytes(video_TCHW).cpu().numpy()


def sound_features(model: SoundToVideo, config: Config, wave: Tensor) -> Tensor:
    """Features [T, D] of int16 samples [S], the last frame padded with silence.

    The encoder was trained on clips, so it gets a longer sound in windows of a clip's length, each starting half a
    window after the one before. Where windows overlap, their features are averaged, weighted by the distance to the
    edge of the window.
    """
    frame_samples = samples_per_frame(config.clips.sample_rate, Fraction(config.clips.frame_rate))
    padded_S = torch.nn.functional.pad(wave_to_float(wave), (0, -len(wave) % frame_samples))
    total, window = len(padded_S) // frame_samples, config.clips.frames
    if total <= window:
        features_BTD: Tensor = model.sound_encoder(padded_S.unsqueeze(0))
        return features_BTD[0]
    starts = [*range(0, total - window, window // 2), total - window]
    frame_T = torch.arange(window, device=wave.device)
    weight_T1 = torch.minimum(frame_T + 1, window - frame_T).unsqueeze(1).float()
    sum_TD = torch.zeros(total, model.sound_encoder.features, device=wave.device)
    weight_sum_T1 = torch.zeros(total, 1, device=wave.device)
    for first in range(0, len(starts), _WINDOWS_PER_BATCH):
        batch = starts[first : first + _WINDOWS_PER_BATCH]
        wave_BS = torch.stack([padded_S[start * frame_samples : (start + window) * frame_samples] for start in batch])
        for start, features_TD in zip(batch, model.sound_encoder(wave_BS), strict=True):
            sum_TD[start : start + window] += weight_T1 * features_TD
            weight_sum_T1[start : start + window] += weight_T1
    return sum_TD / weight_sum_T1
