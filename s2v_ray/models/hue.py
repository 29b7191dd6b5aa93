"""Hues relative to a picture's own, so that a model can't depend on which colours it was trained on."""

import torch
from torch import Tensor


def mean_hue(image_BCHW: Tensor) -> Tensor:
    """Angles [B] in radians, 0 for red and 2π/3 for green, of the mean colour of pictures [B, 3, H, W]; 0 for grey."""
    red, green, blue = image_BCHW.float().mean((2, 3)).unbind(1)
    return torch.atan2((green - blue) * 3**0.5, 2 * red - green - blue)


def turn_hue(video_BTCHW: Tensor, angle_B: Tensor) -> Tensor:
    """Frames [B, T, 3, H, W], their colours turned around the axis of greys by `angle_B`, in radians.

    Rodrigues' formula for the axis (1, 1, 1)/√3. Brightness, the mean of R, G and B, stays; values can leave [-1, 1].
    """
    cos, sin = angle_B.cos()[:, None, None], angle_B.sin()[:, None, None]
    axis = 3**-0.5
    across = torch.tensor([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]], device=angle_B.device)
    turn_B33 = cos * torch.eye(3, device=angle_B.device) + sin * across + (1 - cos) / 3
    turned_BTCN = turn_B33.to(video_BTCHW.dtype).unsqueeze(1) @ video_BTCHW.flatten(3)
    return turned_BTCN.unflatten(3, video_BTCHW.shape[3:])
