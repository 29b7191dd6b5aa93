"""The mean training frame, by which the square that a model knows is found in a picture."""

import numpy as np
import torch
from torch import Tensor

from s2v_ray.dataset.collection import Clips
from s2v_ray.storage.files import map_concurrently
from s2v_ray.training.data.pixels import resize_bytes, to_float

_MOST_CLIPS = 100


def mean_frame(reader: Clips, resolution: int) -> Tensor:
    """The mean [3, R, R], in [-1, 1], of the first and the middle frame of up to 100 clips, evenly spaced.

    The frames are whole, as they are stored, and resized to `resolution`. There must be a clip.
    """
    chosen = sorted({len(reader) * clip // _MOST_CLIPS for clip in range(_MOST_CLIPS)})

    def mean_bytes(clip: int) -> np.ndarray:
        frames_THWC = reader[clip].frames_THWC
        both_THWC = resize_bytes(frames_THWC[[0, len(frames_THWC) // 2]], resolution).numpy()
        return np.asarray(both_THWC.mean(axis=0, dtype=np.float32))

    means = map_concurrently(mean_bytes, chosen, remote=reader.remote)
    return to_float(torch.from_numpy(np.mean(means, axis=0))).contiguous()
