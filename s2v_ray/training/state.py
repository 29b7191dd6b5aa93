"""What a training has at a moment: networks, optimisers, moving average, and how far it is."""

import copy
from contextlib import AbstractContextManager, nullcontext
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
    ema: SoundToVideo | None
    clips: str = ""  # the fingerprint of what it is trained on
    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    adversarial: bool = True  # whether the discriminators take part yet
    best_score: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def judges(self) -> dict[str, float]:
        """The discriminators that count in G's loss, with their λ; one whose λ is 0 is not trained."""
        if not self.adversarial:
            return {}
        loss = self.config.loss
        weights = {
            "image_discriminator": loss.adversarial_image_weight,
            "video_discriminator": loss.adversarial_video_weight,
        }
        return {judge: weight for judge, weight in weights.items() if weight}

    @property
    def done(self) -> float:
        """The part of the training that is done, 0 to 1, by whichever of its limits is nearer."""
        settings = self.config.training
        by_time = self.seconds / (60 * settings.minutes) if settings.minutes else 0.0
        return min(1.0, max(self.step / settings.steps, by_time))

    @property
    def adversarial_due(self) -> bool:
        """Whether so much of the training is done that the discriminators take part in the next step."""
        return self.done >= self.config.loss.discriminator_start

    def no_sync(self, name: str) -> AbstractContextManager[None]:
        """While it lasts, the workers' gradients of a network stay apart, to be summed up first."""
        network = self.forward[name]
        return network.no_sync() if hasattr(network, "no_sync") else nullcontext()  # type: ignore[operator]

    @property
    def eval_model(self) -> SoundToVideo:
        """The model to make videos with: the moving average where there is one."""
        return self.ema or self.networks.generator


def new_state(config: Config, device: torch.device, *, distributed: bool = False) -> TrainingState:
    """The state before the first step; with `distributed`, each network synchronises its gradients by itself."""
    networks = build_networks(config)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.set_float32_matmul_precision("high")  # TF32
    for name, network in networks.items():
        network.to(device)
        if on_gpu:
            network.to(memory_format=torch.channels_last_3d if name == "video_discriminator" else torch.channels_last)
    ema = copy.deepcopy(networks.generator).requires_grad_(False) if config.optim.ema_decay else None
    rates = {
        "generator": config.optim.generator_lr,
        "image_discriminator": config.optim.image_discriminator_lr,
        "video_discriminator": config.optim.video_discriminator_lr,
    }
    optimizers: dict[str, Optimizer] = {
        name: Adam(
            network.parameters(),
            lr=rates[name],
            betas=(config.optim.beta1, config.optim.beta2),
            foreach=not on_gpu,
            fused=on_gpu,
        )
        for name, network in networks.items()
    }
    forward = {name: _prepare(network, config.training.compile, distributed) for name, network in networks.items()}
    return TrainingState(config, networks, forward, optimizers, ema)


def _prepare(network: nn.Module, compiled: bool, distributed: bool) -> nn.Module:
    wrapped = DistributedDataParallel(network) if distributed else network
    return torch.compile(wrapped) if compiled else wrapped  # type: ignore[return-value]
