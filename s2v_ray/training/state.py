"""What a training has at a moment: networks, optimisers, moving average, and how far it is."""

import copy
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Adam, Optimizer

from s2v_ray.config import Config
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.networks import Networks, build_networks


@dataclass
class TrainingState:
    """`networks` hold the weights; `forward` are what a step calls: the same, or wrapped for several workers."""

    config: Config
    networks: Networks
    forward: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    average: SoundToVideo | None
    clips: str = ""  # the fingerprint of what it is trained on
    step: int = 0
    seconds: float = 0.0
    best_score: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def for_use(self) -> SoundToVideo:
        """The model to make videos with: the moving average where there is one."""
        return self.average or self.networks.sound_to_video


def new_state(config: Config, device: torch.device, *, distributed: bool = False) -> TrainingState:
    """The state before the first step; with `distributed`, each network synchronises its gradients by itself."""
    networks = build_networks(config)
    for _, network in networks.items():
        network.to(device)
    average = copy.deepcopy(networks.sound_to_video).requires_grad_(False) if config.optim.ema_decay else None
    rates = {
        "sound_to_video": config.optim.generator_lr,
        "image_discriminator": config.optim.image_discriminator_lr,
        "video_discriminator": config.optim.video_discriminator_lr,
    }
    optimizers: dict[str, Optimizer] = {
        name: Adam(network.parameters(), lr=rates[name], betas=(config.optim.beta1, config.optim.beta2), foreach=True)
        for name, network in networks.items()
    }
    forward = {name: _prepare(network, config.training.compile, distributed) for name, network in networks.items()}
    return TrainingState(config, networks, forward, optimizers, average)


def _prepare(network: nn.Module, compiled: bool, distributed: bool) -> nn.Module:
    wrapped = DistributedDataParallel(network) if distributed else network
    return torch.compile(wrapped) if compiled else wrapped  # type: ignore[return-value]
