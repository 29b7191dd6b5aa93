"""What the metrics require of their input."""

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from s2v_ray.metrics.memo import version

# Rounding in a resize or a mean may step this far outside [-1, 1].
_ROUNDING = 1e-4
# What `checked_video` returned, each with its version: many metrics of one video would check it again and again.
_CHECKED = WeakTensorKeyDictionary()


def checked_video(name: str, video_TCHW: Tensor, *, least_frames: int = 1) -> Tensor:
    """The video [T, C, H, W] as float32, or float64 if it is, contiguous on the CPU, without gradient.

    Of frames laid out as bytes are, [T, H, W, C], sums over channels would take several times as long. Metrics add up
    in float64, so that sums over millions of pixels do not depend on their order; on the CPU since not every
    accelerator has it. Raises ValueError, naming `name`, unless it is a non-empty float video of at least
    `least_frames` frames with finite values in [-1, 1].
    """
    shape = tuple(video_TCHW.shape)
    if _CHECKED.get(video_TCHW) == version(video_TCHW) and shape[0] >= least_frames:
        return video_TCHW
    if video_TCHW.ndim != 4 or 0 in shape:
        raise ValueError(f"{name} has shape {shape}; it must be a non-empty video [T, C, H, W].")
    if not video_TCHW.is_floating_point():
        raise ValueError(f"{name} holds {video_TCHW.dtype}; it must hold floats in [-1, 1].")
    if shape[0] < least_frames:
        raise ValueError(f"{name} has {shape[0]} frame(s); this needs at least {least_frames}.")
    video_TCHW = video_TCHW.detach().to("cpu")
    if video_TCHW.dtype != torch.float64:
        video_TCHW = video_TCHW.float()
    video_TCHW = video_TCHW.contiguous()
    low, high = video_TCHW.aminmax()
    # Written so that NaN, for which every comparison is false, is refused too.
    if not (low >= -1 - _ROUNDING and high <= 1 + _ROUNDING):
        raise ValueError(f"{name} has values from {low.item():g} to {high.item():g}; they must lie in [-1, 1].")
    _CHECKED[video_TCHW] = version(video_TCHW)
    return video_TCHW


def checked_pair(generated_TCHW: Tensor, real_TCHW: Tensor, *, least_frames: int = 1) -> tuple[Tensor, Tensor]:
    """Both videos through `checked_video`. Raises ValueError also where their shapes differ."""
    if generated_TCHW.shape != real_TCHW.shape:
        shapes = f"{tuple(generated_TCHW.shape)} and {tuple(real_TCHW.shape)}"
        raise ValueError(f"generated_TCHW and real_TCHW have shapes {shapes}; they must be the same.")
    generated = checked_video("generated_TCHW", generated_TCHW, least_frames=least_frames)
    real = checked_video("real_TCHW", real_TCHW, least_frames=least_frames)
    return generated, real


def checked_mask(where_HW: Tensor, video_TCHW: Tensor) -> Tensor:
    """The mask on the CPU. Raises ValueError unless it is bool and of the size of the video's frames."""
    if where_HW.dtype != torch.bool or where_HW.shape != video_TCHW.shape[-2:]:
        raise ValueError(
            f"where_HW is {where_HW.dtype} {tuple(where_HW.shape)}; it must be bool {tuple(video_TCHW.shape[-2:])}."
        )
    return where_HW.to("cpu")
