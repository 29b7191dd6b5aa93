"""D_I sees single frames, D_V windows of T consecutive frames. Both return one logit per patch."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

_SLOPE = 0.2
_GROUP_CHANNELS = 16
_MIN_FRAMES_TO_HALVE = 8


def _patch_layers(inputs: int, channels: tuple[int, ...], time_strides: Sequence[int] = ()) -> nn.Sequential:
    """Convolutions that halve the map, then one logit per location; in three dimensions if `time_strides` are given."""
    layers: list[nn.Module] = []
    for level, (before, after) in enumerate(pairwise((inputs, *channels))):
        if time_strides:
            layers.append(nn.Conv3d(before, after, (3, 4, 4), stride=(time_strides[level], 2, 2), padding=1))
        else:
            layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1))
        if level:
            layers.append(nn.GroupNorm(max(1, after // _GROUP_CHANNELS), after))
        layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
    last = nn.Conv3d if time_strides else nn.Conv2d
    return nn.Sequential(*layers, last(channels[-1], 1, 3, padding=1))


def features(layers: nn.Sequential, x: Tensor) -> list[Tensor]:
    """The maps after each activation, the outermost first, and the map of logits."""
    maps = []
    for layer in layers:
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            maps.append(x)
    return [*maps, x]


class ImageDiscriminator(nn.Module):
    """The PatchGAN of pix2pix: convolutions that halve the map, then one logit per location."""

    def __init__(self, *, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = _patch_layers(3, channels)

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """Frames [N, 3, H, W] in [-1, 1] to logits [N, patches]; above 0 means real."""
        if frames_NCHW.dim() != 4 or frames_NCHW.shape[1] != 3:
            raise ValueError(f"frames_NCHW is {tuple(frames_NCHW.shape)}, but must be [N, 3, H, W].")
        return self.features(frames_NCHW)[-1].flatten(1)

    def features(self, frames_NCHW: Tensor) -> list[Tensor]:
        """What it sees in the frames: the maps after each activation, and that of the logits."""
        return features(self.layers, frames_NCHW)


class VideoDiscriminator(nn.Module):
    """The same in three dimensions, after MoCoGAN; layers after the first also halve time while 8 frames are left.

    With 16 frames, that takes a third of the work, and each logit sees twice the time. With `stacked`, it is a 2D
    network on frames stacked as 3·T channels, which is far cheaper; each logit sees all T.
    """

    def __init__(self, *, channels: tuple[int, ...], frames: int, stacked: bool = False) -> None:
        super().__init__()
        self.stacked = stacked
        if stacked:
            self.layers = _patch_layers(3 * frames, channels)
            return
        strides = [1]
        for _ in channels[1:]:
            strides.append(2 if frames >= _MIN_FRAMES_TO_HALVE else 1)
            frames = -(-frames // strides[-1])
        self.layers = _patch_layers(3, channels, strides)

    def forward(self, video_BTCHW: Tensor) -> Tensor:
        """Windows [B, T, 3, H, W] in [-1, 1] to logits [B, patches]; above 0 means real."""
        if video_BTCHW.dim() != 5 or video_BTCHW.shape[2] != 3:
            raise ValueError(f"video_BTCHW is {tuple(video_BTCHW.shape)}, but must be [B, T, 3, H, W].")
        return self.features(video_BTCHW)[-1].flatten(1)

    def features(self, video_BTCHW: Tensor) -> list[Tensor]:
        """What it sees in the windows: the maps after each activation, and that of the logits."""
        return features(self.layers, video_BTCHW.flatten(1, 2) if self.stacked else video_BTCHW.transpose(1, 2))
