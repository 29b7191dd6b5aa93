"""Weights of networks: synthetic ones for tests, and those of a run."""

import math
from pathlib import Path

import torch

from s2v_ray.metrics import i3d
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import last_checkpoint


def waves(*shape: int, speed: float) -> torch.Tensor:
    """Numbers from a sine: those of a random generator may change between versions of torch."""
    count = torch.Size(shape).numel()
    return torch.sin(torch.arange(count, dtype=torch.float64) * speed).float().reshape(shape)


def i3d_shapes() -> dict[str, torch.Size]:
    """The names and shapes of the weights in I3D's file."""
    with torch.device("meta"):
        weights = i3d.i3d_network().state_dict()
    return {name: weight.shape for name, weight in weights.items() if not name.endswith("num_batches_tracked")}


def synthetic_i3d_weights() -> dict[str, torch.Tensor]:
    """Weights with the names and shapes of I3D's file, scaled so that a signal passes through all layers."""
    weights = {}
    for number, (name, shape) in enumerate(i3d_shapes().items()):
        value = waves(*shape, speed=0.7 + number / 100)
        if name.endswith("conv3d.weight"):
            value *= 1.4 * (2 / math.prod(shape[1:])) ** 0.5
        elif name.endswith("running_var"):
            value = 1 + 0.5 * value
        elif name.endswith("bn.weight"):
            value = 1 + 0.3 * value
        else:
            value *= 0.1
        weights[name] = value
    return weights


def levels(videos_BCTHW: torch.Tensor) -> torch.Tensor:
    """A stand-in for the network: the brightness of the first and of the last frame, then zeros."""
    assert videos_BCTHW.shape == (1, 3, 16, 224, 224)
    seen = torch.zeros(1, 400)
    seen[0, 0], seen[0, 1] = videos_BCTHW[:, :, 0].mean(), videos_BCTHW[:, :, -1].mean()
    return seen


def weights(run: str | Path) -> dict[str, torch.Tensor]:
    return load_model(str(last_checkpoint(run)))[0].state_dict()


def assert_close(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], tolerance: float) -> None:
    for name, weight in ours.items():
        assert torch.allclose(weight, theirs[name], rtol=0, atol=tolerance), name
