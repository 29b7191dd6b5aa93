"""D_I sees single frames, D_V windows of T consecutive frames. Both return one logit per patch."""

from torch import Tensor, nn

_SLOPE = 0.2
_GROUP_CHANNELS = 16
_MIN_FRAMES_TO_HALVE = 8


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(max(1, channels // _GROUP_CHANNELS), channels)


def _patch_layers(inputs: int, channels: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((inputs, *channels[:-1]), channels, strict=True):
        layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1))
        layers += [_norm(after)] if len(layers) > 1 else []
        layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 3, padding=1))


class ImageDiscriminator(nn.Module):
    """The PatchGAN of pix2pix: convolutions that halve the map, then one logit per location."""

    def __init__(self, *, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = _patch_layers(3, channels)

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """Frames [N, 3, H, W] in [-1, 1] to logits [N, patches]; above 0 means real."""
        if frames_NCHW.dim() != 4 or frames_NCHW.shape[1] != 3:
            raise ValueError(f"frames_NCHW is {tuple(frames_NCHW.shape)}, but must be [N, 3, H, W].")
        logits_N1HW: Tensor = self.layers(frames_NCHW)
        return logits_N1HW.flatten(1)


class VideoDiscriminator(nn.Module):
    """The same in three dimensions, after MoCoGAN.

    Each layer halves height and width. Those after the first also halve time while at least 8 frames are left: with
    16 frames, that costs a third of the work, and each logit sees twice the time.
    With `stacked`, it is a 2D network on frames stacked as 3·T channels, which is far cheaper; each logit sees all T.
    """

    def __init__(self, *, channels: tuple[int, ...], frames: int, stacked: bool = False) -> None:
        super().__init__()
        self.stacked = stacked
        if stacked:
            self.layers = _patch_layers(3 * frames, channels)
            return
        layers: list[nn.Module] = []
        for before, after in zip((3, *channels[:-1]), channels, strict=True):
            time_stride = 2 if layers and frames >= _MIN_FRAMES_TO_HALVE else 1
            frames = -(-frames // time_stride)
            layers.append(nn.Conv3d(before, after, (3, 4, 4), stride=(time_stride, 2, 2), padding=1))
            layers += [_norm(after)] if before != 3 else []
            layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
        self.layers = nn.Sequential(*layers, nn.Conv3d(channels[-1], 1, 3, padding=1))

    def forward(self, video_BTCHW: Tensor) -> Tensor:
        """Windows [B, T, 3, H, W] in [-1, 1] to logits [B, patches]; above 0 means real."""
        if video_BTCHW.dim() != 5 or video_BTCHW.shape[2] != 3:
            raise ValueError(f"video_BTCHW is {tuple(video_BTCHW.shape)}, but must be [B, T, 3, H, W].")
        logits: Tensor = self.layers(video_BTCHW.flatten(1, 2) if self.stacked else video_BTCHW.transpose(1, 2))
        return logits.flatten(1)
