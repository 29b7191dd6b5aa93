"""What a model changes of an image, frame after frame, and the frames of the image's own size that this makes."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from s2v_ray.models.change import Change, apply_change
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.data.pixels import to_bytes

_FRAMES_PER_CHUNK = 16
_MEAN_FRAMES = 64


def image_changes(
    model: SoundToVideo, image_CHW: Tensor, features: Callable[[], Iterable[Tensor]], total: int, *, strength: float
) -> tuple[Tensor, Iterator[Change]]:
    """An image [3, H, W] in [-1, 1] as [1, 3, H, W], and what is changed of it in the `total` frames of a sound.

    `features` starts the sound's [T, D] in pieces anew. For `strength`, see `scaled`.
    """
    maps = model.unet.encode(image_CHW.unsqueeze(0))
    mean = None if strength == 1 else mean_change(model, maps, features(), total)
    return maps[0], changes(model, maps, features(), mean=mean, strength=strength)


def square_frames(image_BCHW: Tensor, changed: Iterable[Change]) -> Iterator[np.ndarray]:
    """The frames, uint8 [H, W, 3], of one image [1, 3, H, W] and changes of its size."""
    for change in changed:
        yield from to_bytes(apply_change(image_BCHW, change)[0]).cpu().numpy()


def changes(
    model: SoundToVideo, maps: list[Tensor], features: Iterable[Tensor], *, mean: Change | None, strength: float
) -> Iterator[Change]:
    """The changes of one image, encoded as `maps`, for features [T, D] in pieces; a few frames at a time."""
    for features_TD in features:
        for chunk_TD in torch.split(features_TD, _FRAMES_PER_CHUNK):
            change = model.unet.change(maps, chunk_TD.unsqueeze(0))
            yield change if mean is None else scaled(change, mean, strength)


def mean_change(model: SoundToVideo, maps: list[Tensor], features: Iterable[Tensor], total: int) -> Change:
    """The mean over up to 64 frames, evenly spaced over the `total` of a sound."""
    wanted = torch.linspace(0, total - 1, min(total, _MEAN_FRAMES)).round().long()
    chosen, first = [], 0
    for features_TD in features:
        here = wanted[(first <= wanted) & (wanted < first + len(features_TD))] - first
        chosen.append(features_TD[here.to(features_TD.device)])
        first += len(features_TD)
    change = model.unet.change(maps, torch.cat(chosen).unsqueeze(0))
    return change._replace(
        **{name: part.mean(1, keepdim=True) for name, part in change._asdict().items() if _of_frames(name, part)}
    )


def scaled(change: Change, mean: Change, strength: float) -> Change:
    """The mean + strength · (change − mean): 0 is a still video of the mean, 2 twice as far from it."""
    parts = {
        name: torch.lerp(getattr(mean, name).expand_as(part), part, strength)
        for name, part in change._asdict().items()
        if _of_frames(name, part)
    }
    if change.mask_BT1HW is not None:
        parts["mask_BT1HW"] = parts["mask_BT1HW"].clamp(0, 1)
    return change._replace(**parts)


def _of_frames(name: str, part: Tensor | None) -> bool:
    return part is not None and "_BT" in name
