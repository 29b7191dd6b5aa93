"""D_I judges single frames, D_V T frames in order. Both return logits, one a patch."""

from torch import Tensor, nn

_SLOPE = 0.2
_GROUP_CHANNELS = 16
_LEAST_TO_HALVE = 8  # frames


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(max(1, channels // _GROUP_CHANNELS), channels)


def _patches(inputs: int, channels: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((inputs, *channels[:-1]), channels, strict=True):
        layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1))
        layers += [_norm(after)] if len(layers) > 1 else []
        layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 3, padding=1))


class ImageDiscriminator(nn.Module):
    """Halving convolutions, then one logit a place, as in pix2pix's PatchGAN."""

    def __init__(self, *, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = _patches(3, channels)

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """Frames [N, 3, H, W] in [-1, 1] to logits [N, patches]; above zero is real."""
        if frames_NCHW.dim() != 4 or frames_NCHW.shape[1] != 3:
            raise ValueError(f"frames_NCHW is {tuple(frames_NCHW.shape)}, but must be [N, 3, H, W].")
        return self.layers(frames_NCHW).flatten(1)


class VideoDiscriminator(nn.Module):
    """The same in three dimensions, after MoCoGAN.

    Height and width are halved by each layer, and so is time by those after the first, as long as eight frames or more
    are left: with 16 frames, that is a third of the work and twice the time that each logit sees.
    `stacked`, it is D_I on a picture of 3·T channels instead, at a fraction of the work: each logit sees all T frames.
    """

    def __init__(self, *, channels: tuple[int, ...], frames: int, stacked: bool = False) -> None:
        super().__init__()
        self.stacked = stacked
        if stacked:
            self.layers = _patches(3 * frames, channels)
            return
        layers: list[nn.Module] = []
        for before, after in zip((3, *channels[:-1]), channels, strict=True):
            step = 2 if layers and frames >= _LEAST_TO_HALVE else 1
            frames = -(-frames // step)
            layers.append(nn.Conv3d(before, after, (3, 4, 4), stride=(step, 2, 2), padding=1))
            layers += [_norm(after)] if before != 3 else []
            layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
        self.layers = nn.Sequential(*layers, nn.Conv3d(channels[-1], 1, 3, padding=1))

    def forward(self, video_BTCHW: Tensor) -> Tensor:
        """Windows [B, T, 3, H, W] in [-1, 1] to logits [B, patches]; above zero is real."""
        if video_BTCHW.dim() != 5 or video_BTCHW.shape[2] != 3:
            raise ValueError(f"video_BTCHW is {tuple(video_BTCHW.shape)}, but must be [B, T, 3, H, W].")
        return self.layers(video_BTCHW.flatten(1, 2) if self.stacked else video_BTCHW.transpose(1, 2)).flatten(1)
