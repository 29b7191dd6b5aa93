"""The frames that a model makes of a sound that is all in memory."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from s2v_ray.config import Config
from s2v_ray.generation.frames import image_changes, square_frames
from s2v_ray.generation.sound import frame_count, sound_features
from s2v_ray.models.sound_to_video import SoundToVideo


def generate_frames(
    model: SoundToVideo, config: Config, image_CHW: Tensor, wave: np.ndarray, *, strength: float = 1.0
) -> list[np.ndarray]:
    """The frames, uint8 [H, W, 3], of an image [3, H, W] in [-1, 1] and int16 samples [S], at the model's size."""

    def features() -> Iterator[Tensor]:
        return sound_features(model, config, [wave], len(wave), image_CHW.device)

    with torch.no_grad():
        total = frame_count(config, len(wave))
        return list(square_frames(*image_changes(model, image_CHW, features, total, strength=strength)))
