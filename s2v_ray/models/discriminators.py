"""D_I judges single frames, D_V windows of T consecutive frames. Both return logits, one a patch."""

from torch import Tensor, nn

_SLOPE = 0.2
_GROUP_CHANNELS = 16
_LEAST_TO_HALVE = 8  # frames


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(max(1, channels // _GROUP_CHANNELS), channels)


class ImageDiscriminator(nn.Module):
    """Halving convolutions, then one logit a place, as in pix2pix's PatchGAN."""

    def __init__(self, *, channels: tuple[int, ...], sees_picture: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.inputs = 6 if sees_picture else 3
        for before, after in zip((self.inputs, *channels[:-1]), channels, strict=True):
            layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1))
            layers += [_norm(after)] if len(layers) > 1 else []
            layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 3, padding=1))

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """Frames [N, 3, H, W] in [-1, 1] to logits [N, patches]; above zero is real."""
        if frames_NCHW.dim() != 4 or frames_NCHW.shape[1] != self.inputs:
            raise ValueError(f"frames_NCHW is {tuple(frames_NCHW.shape)}, but must be [N, 3, H, W].")
        return self.layers(frames_NCHW).flatten(1)


class VideoDiscriminator(nn.Module):
    """The same in three dimensions, after MoCoGAN.

    Height and width are halved by each layer, and so is time by those after the first, as long as eight frames or more
    are left: with 16 frames, that is a third of the work and twice the time that each logit sees.
    """

    def __init__(
        self,
        *,
        channels: tuple[int, ...],
        frames: int,
        sees_picture: bool = False,
        sound_bins: int = 0,
        stacked: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.inputs = 6 if sees_picture else 3
        self.hear = nn.Linear(frames * sound_bins, channels[-1]) if sound_bins else None
        self.stacked = stacked
        if stacked:
            for before, after in zip((self.inputs * frames, *channels[:-1]), channels, strict=True):
                layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1))
                layers += [_norm(after)] if len(layers) > 1 else []
                layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
            self.layers = nn.Sequential(*layers)
            self.last: nn.Module = nn.Conv2d(channels[-1], 1, 3, padding=1)
            return
        for before, after in zip((self.inputs, *channels[:-1]), channels, strict=True):
            step = 2 if layers and frames >= _LEAST_TO_HALVE else 1
            frames = -(-frames // step)
            layers.append(nn.Conv3d(before, after, (3, 4, 4), stride=(step, 2, 2), padding=1))
            layers += [_norm(after)] if len(layers) > 1 else []
            layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
        self.layers = nn.Sequential(*layers)
        self.last = nn.Conv3d(channels[-1], 1, 3, padding=1)

    def forward(self, video_BTCHW: Tensor, spectra_BTF: Tensor | None = None) -> Tensor:
        """Windows [B, T, 3, H, W] in [-1, 1] to logits [B, patches]; above zero is real."""
        if video_BTCHW.dim() != 5 or video_BTCHW.shape[2] != self.inputs:
            raise ValueError(f"video_BTCHW is {tuple(video_BTCHW.shape)}, but must be [B, T, 3, H, W].")
        maps = self.layers(video_BTCHW.flatten(1, 2) if self.stacked else video_BTCHW.transpose(1, 2))
        logits = self.last(maps).flatten(1)
        if self.hear is None or spectra_BTF is None:
            return logits
        # Miyato and Koyama 2018: the inner product says how well picture and sound go together.
        heard_BC = self.hear(spectra_BTF.flatten(1))
        return logits + (maps.flatten(2).mean(2) * heard_BC).sum(1, keepdim=True)
