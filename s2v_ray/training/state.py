"""The state of a training: networks, optimisers, moving average, and how far it is."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Adam, Optimizer

from s2v_ray.config import Config
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.data.stream import StreamPosition
from s2v_ray.training.networks import Networks, build_networks
from s2v_ray.training.schedule import Schedule, config_schedule, learning_rate_factor, reached
from s2v_ray.training.threads import Map, two_at_a_time


@dataclass(frozen=True)
class Discriminator:
    """A discriminator as a step uses it."""

    name: str
    network: nn.Module
    forward: nn.Module  # the network, or what wraps it for several workers
    optimizer: Optimizer
    weight: float  # its λ in G's loss
    frames: Callable[[Tensor, Batch], Tensor]  # what it sees of a video [B, F, C, H, W]


@dataclass(frozen=True)
class Unscored:
    """A checkpoint whose validation goes on beside the training."""

    step: int
    eligible: bool  # to be the best: whether it was trained with D


@dataclass
class TrainingState:
    """`networks` hold the weights; `forward` are what a step calls: the same, or wrapped for several workers."""

    config: Config
    schedule: Schedule
    networks: Networks
    forward: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    ema: SoundToVideo | None
    clips: str = ""  # the fingerprint of what it is trained on
    mean_frame: Tensor | None = None  # [3, R, R], of the clips; only the first worker, which writes checkpoints, has it
    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    progress: float = 1.0  # of the schedule, 0 to 1, on all workers the same; the loop sets it
    best_score: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)  # of the last validation
    unscored: Unscored | None = None
    position: StreamPosition | None = None  # of a training on videos that are decoded meanwhile
    map_halves: Map | None = None  # computes the halves of a batch at the same time, where that is wanted and possible

    @property
    def generates(self) -> bool:
        """Whether the next step trains G; before, SE learns alone."""
        return reached(self.progress, self.config.loss.generator_start)

    @property
    def discriminators_enabled(self) -> bool:
        """Whether D_I and D_V take part in the next step."""
        return self.generates and reached(self.progress, self.config.loss.discriminator_start)

    @property
    def discriminators(self) -> list[Discriminator]:
        """Those that take part in the next step: once enabled, each whose λ is above 0."""
        loss = self.config.loss
        roles = (
            ("image_discriminator", loss.adversarial_image_weight, single_frames),
            ("video_discriminator", loss.adversarial_video_weight, video_windows),
        )
        return [
            Discriminator(name, self.networks[name], self.forward[name], self.optimizers[name], weight, frames)
            for name, weight, frames in roles
            if weight and self.discriminators_enabled
        ]


def new_state(
    config: Config, device: torch.device, *, schedule: Schedule | None = None, distributed: bool = False
) -> TrainingState:
    """The state before the first step; with `distributed`, each network synchronises its gradients by itself.

    `schedule` is by default that of a run opened with this configuration.
    """
    networks = build_networks(config).to(device)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.set_float32_matmul_precision("high")  # TF32
        for name, network in networks.items():
            network.to(memory_format=torch.channels_last_3d if name == "video_discriminator" else torch.channels_last)
    ema = copy.deepcopy(networks.generator).requires_grad_(False) if config.optim.ema_decay else None
    optimizers: dict[str, Optimizer] = {
        name: Adam(
            network.parameters(),
            lr=getattr(config.optim, f"{name}_lr"),
            betas=(config.optim.beta1, config.optim.beta2),
            foreach=not on_gpu,
            fused=on_gpu,
        )
        for name, network in networks.items()
    }
    forward: dict[str, nn.Module] = {}
    for name, network in networks.items():
        wrapped = DistributedDataParallel(network) if distributed else network
        forward[name] = torch.compile(wrapped) if config.training.compile else wrapped  # type: ignore[assignment]
    state = TrainingState(config, schedule or config_schedule(config), networks, forward, optimizers, ema)
    if config.training.parallel_halves and _can_halve(config, device, distributed=distributed):
        state.map_halves = two_at_a_time()
    return state


def _can_halve(config: Config, device: torch.device, *, distributed: bool) -> bool:
    """Whether the halves of a batch can be computed at the same time, and gain by it."""
    on_cores = device.type == "cpu" and torch.get_num_threads() > 1
    # DDP and torch's compiler expect one thread, and micro-batches one part in memory.
    return on_cores and not (distributed or config.training.compile or config.training.micro_batches > 1)


def set_learning_rates(state: TrainingState) -> None:
    """Each optimiser's learning rate as the configuration has it at this point of the schedule."""
    optim = state.config.optim
    factor = learning_rate_factor(state.progress, optim.decay_start)
    for name, optimizer in state.optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = factor * getattr(optim, f"{name}_lr")


def finished_schedule(state: TrainingState) -> bool:
    """Whether the rates of a loaded state have fallen all the way."""
    progress = state.schedule.progress(state.step, state.seconds)
    return state.config.optim.decay_start < 1 and reached(progress, 1)


def single_frames(video_BFCHW: Tensor, batch: Batch) -> Tensor:
    """Γ_1, what D_I sees: single frames [B·K, C, H, W]."""
    return _take(video_BFCHW, batch.image_frame_BK).flatten(0, 1)


def video_windows(video_BFCHW: Tensor, batch: Batch) -> Tensor:
    """Γ_T, what D_V sees: T frames in order [B, T, C, H, W]."""
    return _take(video_BFCHW, batch.video_frame_BT)


def _take(video_BFCHW: Tensor, frames_BK: Tensor) -> Tensor:
    clips_B1 = torch.arange(len(video_BFCHW), device=video_BFCHW.device).unsqueeze(1)
    return video_BFCHW[clips_B1, frames_BK]
