"""Hues relative to the image's own, so that a model can't depend on the colours it was trained on."""

import torch
from torch import Tensor


def mean_hue(image_BCHW: Tensor) -> Tensor:
    """Hue [B] of the mean colour of images [B, 3, H, W], in radians: 0 for red, 2π/3 for green, and 0 for grey."""
    red, green, blue = image_BCHW.float().mean((2, 3)).unbind(1)
    return torch.atan2((green - blue) * 3**0.5, 2 * red - green - blue)


def rotate_hue(video_BTCHW: Tensor, angle_B: Tensor) -> Tensor:
    """Frames [B, T, 3, H, W] with their colours rotated around the grey axis by `angle_B` radians.

    Rodrigues' formula for the axis (1, 1, 1)/√3. It keeps the mean of R, G and B; values can leave [-1, 1].
    """
    cos, sin = angle_B.cos()[:, None, None], angle_B.sin()[:, None, None]
    axis = 3**-0.5
    cross = torch.tensor([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]], device=angle_B.device)
    rotation_B33 = cos * torch.eye(3, device=angle_B.device) + sin * cross + (1 - cos) / 3
    rotated_BTCN = rotation_B33.to(video_BTCHW.dtype).unsqueeze(1) @ video_BTCHW.flatten(3)
    return torch.unflatten(rotated_BTCN, 3, video_BTCHW.shape[3:])
