"""What G changes of an image. It is smooth, so that it can be applied at the image's own size."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Change(NamedTuple):
    """What is done to images [B, 3, H, W] for each of T frames, in this order; H and W of the parts may differ.

    `flow_BT2HW`: how far away, in parts of half a side, to the right and down, a pixel's colour is taken from (a
    displacement in `grid_sample`'s coordinates), and `mask_BT1HW` in [0, 1]: how much of what is found there shows;
    none if the model has no warp. `weight_BTKHW` of the colours `colour_BCK` is mixed in; none if it has no palette.
    `residual_BTCHW` is added.
    """

    residual_BTCHW: Tensor
    weight_BTKHW: Tensor | None = None
    colour_BCK: Tensor | None = None
    flow_BT2HW: Tensor | None = None
    mask_BT1HW: Tensor | None = None


def apply_change(image_BCHW: Tensor, change: Change) -> Tensor:
    """Frames [B, T, 3, H, W] of images and a change of the same height and width; the reference for other sizes."""
    base_BTCHW = image_BCHW.unsqueeze(1)
    if change.flow_BT2HW is not None and change.mask_BT1HW is not None:
        moved_BTCHW = warped(image_BCHW, change.flow_BT2HW)
        base_BTCHW = base_BTCHW + change.mask_BT1HW * (moved_BTCHW - base_BTCHW)
    video_BTCHW = base_BTCHW + change.residual_BTCHW
    if change.weight_BTKHW is not None and change.colour_BCK is not None:
        mixed_BTCN = change.colour_BCK.unsqueeze(1) @ change.weight_BTKHW.flatten(3)
        mixed_BTCHW = torch.unflatten(mixed_BTCN, 3, change.weight_BTKHW.shape[3:])
        video_BTCHW = video_BTCHW + (mixed_BTCHW - change.weight_BTKHW.sum(2, keepdim=True) * base_BTCHW)
    return video_BTCHW


def warped(image_BCHW: Tensor, flow_BT2HW: Tensor) -> Tensor:
    """Images with their pixels taken from elsewhere, bilinearly, for each of T flows; edges extend outwards."""
    batch, frames, _, height, width = flow_BT2HW.shape
    identity = torch.eye(2, 3, device=flow_BT2HW.device, dtype=flow_BT2HW.dtype).expand(1, 2, 3)
    grid_1HW2 = functional.affine_grid(identity, [1, 3, height, width], align_corners=False)
    grid_NHW2 = grid_1HW2 + flow_BT2HW.flatten(0, 1).permute(0, 2, 3, 1)
    grid_NHW2 = grid_NHW2.nan_to_num()  # at NaN, the gradient of `grid_sample` ends the process
    # One sample a clip, whose frames are stacked in height: the image is not copied for each of them.
    grid_BMW2 = grid_NHW2.reshape(batch, frames * height, width, 2)
    moved_BCMW = functional.grid_sample(
        image_BCHW.to(grid_BMW2.dtype), grid_BMW2, mode="bilinear", padding_mode="border", align_corners=False
    )
    return torch.unflatten(moved_BCMW, 2, (frames, height)).transpose(1, 2)
