"""G of the paper: a U-Net from (input image, Sf_t) to frame t.

All frames of a clip share one image, so it is encoded once per clip. In the decoder, the convolution over
concat(x, skip) is the sum of one over x, once per frame, and one over the skip, once per clip and broadcast over
frames: the same function as encoding and concatenating for every frame, at a fraction of the work.
"""

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from s2v_ray.models.change import Change, apply_change
from s2v_ray.models.hue import mean_hue, rotate_hue

_GROUP_CHANNELS = 16
_SLOPE = 0.2
_RECOMPUTED: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False}  # how `checkpoint` does it


def norm(channels: int, size: int) -> nn.Module:
    """GroupNorm, which doesn't couple samples; none on maps up to 2x2, where it would normalise the sound away."""
    if size <= 2:
        return nn.Identity()
    return nn.GroupNorm(max(1, channels // _GROUP_CHANNELS), channels)


def halving_kernel(size: int) -> dict[str, Any]:
    """Arguments of a convolution between maps of `size` and half of it; at 2x2, a kernel of 4 sees mostly padding."""
    return {"kernel_size": 4, "stride": 2, "padding": 1} if size > 2 else {"kernel_size": 2, "stride": 2}


def _make_small(weight: Tensor) -> None:
    # On "meta" it would do nothing, but for which torch imports its compiler: seconds.
    if not weight.is_meta:
        nn.init.normal_(weight, std=1e-3)


class UpBlock(nn.Module):
    """Doubles a map's size: transposed convolution over concat(x, skip), norm, scale and shift by the sound (FiLM)."""

    def __init__(
        self, x_channels: int, skip_channels: int, out_channels: int, *, out_size: int, sound_features: int, last: bool
    ) -> None:
        super().__init__()
        self.over_x = nn.ConvTranspose2d(x_channels, out_channels, **halving_kernel(out_size))
        self.over_skip = nn.ConvTranspose2d(skip_channels, out_channels, **halving_kernel(out_size), bias=False)
        self.norm = nn.Identity() if last else norm(out_channels, out_size)
        self.film = nn.Linear(sound_features, 2 * out_channels) if sound_features else None
        self.last = last

    def forward(self, x_NCHW: Tensor, skip_BCHW: Tensor, sound_ND: Tensor) -> Tensor:
        """N = B·T maps, the frames of a clip adjacent, and B skips."""
        return self.activated(self.joined(self.over_x(x_NCHW), skip_BCHW), sound_ND)

    def joined(self, x_NCHW: Tensor, skip_BCHW: Tensor) -> Tensor:
        """The convolution over concat(x, skip), of that over x, which is overwritten: no gradient needs it."""
        over_skip_BCHW = self.over_skip(skip_BCHW)
        return torch.unflatten(x_NCHW, 0, (len(skip_BCHW), -1)).add_(over_skip_BCHW.unsqueeze(1)).flatten(0, 1)

    def activated(self, x_NCHW: Tensor, sound_ND: Tensor) -> Tensor:
        """Norm, FiLM and activation of N maps."""
        x: Tensor = self.norm(x_NCHW)
        if self.film is not None:
            scale, shift = self.film(sound_ND)[:, :, None, None].chunk(2, dim=1)
            x = x * (1 + scale) + shift
        return x if self.last else functional.leaky_relu(x, _SLOPE, inplace=x is not x_NCHW)


class Palette(nn.Module):
    """Colours taken from the image for the output to mix, each a weighted mean over locations that it learns to find.

    So colours that no training image had can appear where they belong: the mix follows the hues of the image.
    """

    def __init__(self, channels: int, colours: int) -> None:
        super().__init__()
        self.places = nn.Conv2d(channels, colours, 1, bias=False)  # softmax cancels a bias

    def forward(self, image_BCHW: Tensor, map_BCHW: Tensor) -> Tensor:
        """The colours [B, 3, K]; `map_BCHW` has half the image's sides."""
        attention_BKN = self.places(map_BCHW).flatten(2).softmax(2)
        colour_BCK: Tensor = functional.avg_pool2d(image_BCHW, 2).flatten(2) @ attention_BKN.transpose(1, 2)
        return colour_BCK


class UNet(nn.Module):
    """Encodes the image, joins the sound at the innermost map, and decodes one frame per feature vector.

    `channels[i]` is the encoder's width after i + 1 halvings. The sound also scales and shifts the outputs of the
    `film_levels` innermost decoder levels. With `output` "tanh", the decoder makes the frame; with "residual", it makes
    what is added to the image, of which it can mix `palette` colours in, and which it can warp first, by up to `warp`
    of its side. With `relative_hue`, the layers see the image
    rotated to a mean hue of 0 and their output is rotated back: an image in other hues gives the same video in those.
    """

    def __init__(
        self,
        *,
        resolution: int,
        channels: tuple[int, ...],
        sound_features: int,
        film_levels: int,
        output: str,
        palette: int = 0,
        warp: float = 0.0,
        relative_hue: bool = False,
    ) -> None:
        super().__init__()
        if output != "residual" and (palette or warp):
            raise ValueError(f"palette is {palette} and warp {warp}, but must be 0 where output is {output!r}.")
        self.resolution = resolution
        depth = len(channels)
        if resolution % 2**depth:
            raise ValueError(f"resolution is {resolution}, but must be a multiple of {2**depth} for {depth} halvings.")
        inputs = (3, *channels)
        sizes = [resolution // 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs[level], channels[level], **halving_kernel(sizes[level])),
                norm(channels[level], sizes[level + 1]) if level else nn.Identity(),
                nn.LeakyReLU(_SLOPE, inplace=True),
            )
            for level in range(depth)
        )
        # From the innermost outwards. The first takes the sound, the others the output of the level before.
        blocks = [
            UpBlock(
                sound_features if level == depth - 1 else channels[level],
                channels[level],
                channels[level - 1] if level else 3 + palette,
                out_size=sizes[level],
                sound_features=sound_features if level and depth - 1 - level < film_levels else 0,
                last=level == 0,
            )
            for level in reversed(range(depth))
        ]
        self.up = nn.ModuleList(blocks)
        self.residual = output == "residual"
        self.relative_hue = relative_hue
        self.palette = Palette(channels[0], palette) if palette else None
        # From the second last map, half as large: a flow is smooth.
        self.warp, self.to_warp = warp, nn.Conv2d(channels[0], 3, 1) if warp else None
        if self.to_warp is not None:
            _make_small(self.to_warp.weight)
            nn.init.zeros_(self.to_warp.bias)  # type: ignore[arg-type]
        if self.residual:
            # An untrained model returns nearly the image itself.
            outermost = blocks[-1]
            _make_small(outermost.over_x.weight)
            _make_small(outermost.over_skip.weight)
            nn.init.zeros_(outermost.over_x.bias)  # type: ignore[arg-type]

    def forward(self, image_BCHW: Tensor, sound_BTD: Tensor, *, frames_per_chunk: int = 0) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] and features [B, T, D] to frames [B, T, 3, H, W]; see `encode`, `decode`.

        `frames_per_chunk` limits how many frames per clip hold their inner maps in memory at a time; the backward pass
        recomputes the others (Chen et al. 2016, arXiv:1604.06174). The gradients are the same.
        """
        maps = self.encode(image_BCHW)
        if not frames_per_chunk or sound_BTD.shape[1] <= frames_per_chunk:
            return self.decode(maps, sound_BTD)
        decode = partial(checkpoint, self.decode, maps, **_RECOMPUTED)
        return torch.cat([decode(chunk) for chunk in torch.split(sound_BTD, frames_per_chunk, dim=1)], dim=1)

    def encode(self, image_BCHW: Tensor) -> list[Tensor]:
        """The image and its maps after each halving: what `decode` needs of it, for any number of frames."""
        if image_BCHW.dim() != 4 or image_BCHW.shape[1:] != (3, self.resolution, self.resolution):
            side = self.resolution
            raise ValueError(f"image_BCHW is {tuple(image_BCHW.shape)}, but must be [B, 3, {side}, {side}].")
        x, maps = image_BCHW, [image_BCHW]
        if self.relative_hue:
            x = rotate_hue(x.unsqueeze(1), -mean_hue(x))[:, 0]
        for block in self.down:
            x = block(x)
            maps.append(x)
        return maps

    def decode(self, maps: list[Tensor], sound_BTD: Tensor) -> Tensor:
        """Frames [B, T, 3, H, W], around [-1, 1] (a residual can go a little beyond)."""
        outer_BTCHW, warp_BT3HW = self._decoded(maps, sound_BTD)
        if not self.residual:
            return self._in_hues_of(maps[0], outer_BTCHW.tanh())
        return apply_change(maps[0], self.as_change(maps, outer_BTCHW, warp_BT3HW))

    def change(self, maps: list[Tensor], sound_BTD: Tensor) -> Change:
        """What makes the frames of the image, so that it can be applied at another size."""
        return self.as_change(maps, *self._decoded(maps, sound_BTD))

    def as_change(self, maps: list[Tensor], outer_BTCHW: Tensor, warp_BT3HW: Tensor | None) -> Change:
        """What the output of the outermost level, and that of `to_warp` of half the sides, mean for the image."""
        if not self.residual:
            return Change(self._in_hues_of(maps[0], outer_BTCHW.tanh()) - maps[0].unsqueeze(1))
        weight_BTKHW = colour_BCK = flow_BT2HW = mask_BT1HW = None
        if self.palette is not None:
            weight_BTKHW, colour_BCK = outer_BTCHW[:, :, 3:], self.palette(maps[0], maps[1])
        if warp_BT3HW is not None:
            raw_N3HW = warp_BT3HW.flatten(0, 1)
            bounded_N3HW = torch.cat([2 * self.warp * raw_N3HW[:, :2].tanh(), raw_N3HW[:, 2:].sigmoid()], dim=1)
            warp_N3HW = functional.interpolate(bounded_N3HW, scale_factor=2, mode="bilinear")
            flow_BT2HW, mask_BT1HW = torch.unflatten(warp_N3HW, 0, outer_BTCHW.shape[:2]).split((2, 1), dim=2)
        residual_BTCHW = self._in_hues_of(maps[0], outer_BTCHW[:, :, :3])
        return Change(residual_BTCHW, weight_BTKHW, colour_BCK, flow_BT2HW, mask_BT1HW)

    def _decoded(self, maps: list[Tensor], sound_BTD: Tensor) -> tuple[Tensor, Tensor | None]:
        """The output of the outermost level, [B, T, C, H, W], and that of `to_warp`, of half the sides.

        Of each level, the sum of its convolutions is kept for the backward pass, which recomputes norm, FiLM and
        activation: half of the memory at little cost (Chen et al. 2016, arXiv:1604.06174).
        """
        if sound_BTD.dim() != 3 or len(sound_BTD) != len(maps[0]):
            raise ValueError(f"sound_BTD is {tuple(sound_BTD.shape)}, but must be [B, T, D] with B = {len(maps[0])}.")
        skips = maps[1:]
        sound_ND = sound_BTD.flatten(0, 1)
        blocks = [cast("UpBlock", block) for block in self.up]
        x, warp = self._over(blocks[0], sound_ND[:, :, None, None].expand(-1, -1, *skips[-1].shape[-2:]))
        for inner, outer, skip in zip(blocks, blocks[1:], reversed(skips[1:]), strict=False):
            joined = inner.joined(x, skip)
            # Only where there is a backward pass: `checkpoint` imports torch's compiler, which takes seconds.
            between = partial(checkpoint, self._between, **_RECOMPUTED) if torch.is_grad_enabled() else self._between
            x, warp = between(inner, outer, joined, sound_ND)
        x = blocks[-1].activated(blocks[-1].joined(x, skips[0]), sound_ND)
        x_BTCHW = torch.unflatten(x, 0, sound_BTD.shape[:2])
        return x_BTCHW, None if warp is None else torch.unflatten(warp, 0, sound_BTD.shape[:2])

    def _between(
        self, inner: UpBlock, outer: UpBlock, x_NCHW: Tensor, sound_ND: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """From a level's sum of convolutions to the next one's convolution over x, before which recomputing stops."""
        return self._over(outer, inner.activated(x_NCHW, sound_ND))

    def _over(self, block: UpBlock, x_NCHW: Tensor) -> tuple[Tensor, Tensor | None]:
        warp = self.to_warp(x_NCHW) if self.to_warp is not None and block.last else None
        return block.over_x(x_NCHW), warp

    def _in_hues_of(self, image_BCHW: Tensor, colours_BTCHW: Tensor) -> Tensor:
        return rotate_hue(colours_BTCHW, mean_hue(image_BCHW)) if self.relative_hue else colours_BTCHW
