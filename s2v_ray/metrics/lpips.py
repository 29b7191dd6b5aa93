"""How different do frames look to a network trained on many images?"""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2v_ray.metrics.checks import checked_pair
from s2v_ray.metrics.weights import load_weights

WEIGHTS = "alexnet-owt-7be5be79.pth"  # torchvision's name for AlexNet's weights from ImageNet
_SIDE = 64  # smaller frames are enlarged to this, as AlexNet halves them five times
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_FRAMES_AT_ONCE = 32

Lpips = Callable[[Tensor, Tensor], float]


def load_lpips(folder: str | Path) -> Lpips:
    """LPIPS (Zhang et al. 2018, arXiv:1801.03924, version 0.1) on AlexNet, from `alexnet-owt-7be5be79.pth` in a folder.

    The function takes two videos [T, 3, H, W] float in [-1, 1] and returns the mean over frames: 0 for equal ones.
    Raises UserError where the file is missing or not AlexNet's.
    """
    features = _alexnet()
    load_weights(nn.ModuleDict({"features": features}), folder, WEIGHTS, name="AlexNet", origin="torchvision")

    # Of the channels [C] after each ReLU; they come with torchmetrics.
    file = files("torchmetrics.functional.image") / "lpips_models" / "alex.pth"
    stored = torch.load(str(file), map_location="cpu", weights_only=True)
    heads = [stored[f"lin{level}.model.1.weight"].flatten() for level in range(5)]

    def lpips(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
        generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW)
        pairs = zip(*(torch.split(video, _FRAMES_AT_ONCE) for video in (generated_TCHW, real_TCHW)), strict=True)
        return torch.cat([_distances(features, heads, *pair) for pair in pairs]).mean().item()

    return lpips


def _alexnet() -> nn.Sequential:
    """The convolutions of AlexNet (Krizhevsky 2014, arXiv:1404.5997), numbered as torchvision's `features`."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _distances(features: nn.Sequential, heads: list[Tensor], *videos_TCHW: Tensor) -> Tensor:
    """One distance a frame, [T]."""
    shift, scale = (torch.tensor(values)[:, None, None] for values in (_SHIFT, _SCALE))
    x_NCHW = torch.cat([(video.float() - shift) / scale for video in videos_TCHW])
    if min(x_NCHW.shape[-2:]) < _SIDE:
        x_NCHW = functional.interpolate(x_NCHW, size=(_SIDE, _SIDE), mode="bilinear")
    total, head = torch.zeros(len(videos_TCHW[0])), iter(heads)
    for layer in features:
        x_NCHW = layer(x_NCHW)
        if isinstance(layer, nn.ReLU):
            unit_NCHW = x_NCHW / (x_NCHW.square().sum(1, keepdim=True) + 1e-8).sqrt()
            ours, theirs = unit_NCHW.chunk(2)
            total += torch.einsum("c,nchw->nhw", next(head), (ours - theirs).square()).mean((1, 2))
    return total
