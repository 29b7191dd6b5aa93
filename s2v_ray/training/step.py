"""One step of the GAN: one forward of SE and G serves the discriminators' update and the generator's."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from s2v_ray.clips.batch import Batch
from s2v_ray.losses import discriminator_loss, generator_loss, reconstruction_loss
from s2v_ray.training.state import TrainingState


def train_step(state: TrainingState, batch: Batch, *, share: float = 1.0) -> dict[str, Tensor]:
    """Update D_I, D_V, and SE with G, on one batch; returns the losses.

    `share` weighs this worker's mean losses so that the mean of gradients over workers is that of the global batch.
    """
    loss = state.config.loss
    with autocast(batch.wave_BS.device):
        fake_BFCHW = state.forward["sound_to_video"](batch.picture_BCHW, batch.wave_BS, batch.frame_BF)
    fake_BFCHW = fake_BFCHW.float()
    reconstruction = reconstruction_loss(fake_BFCHW, batch.video_BFCHW, loss.reconstruction)

    real_images, fake_images = (frames_for_image(video, batch) for video in (batch.video_BFCHW, fake_BFCHW))
    real_windows, fake_windows = (frames_for_video(video, batch, state) for video in (batch.video_BFCHW, fake_BFCHW))

    image_loss = update_discriminator(state, "image_discriminator", real_images, fake_images.detach(), share)
    video_loss = update_discriminator(state, "video_discriminator", real_windows, fake_windows.detach(), share)

    judges = state.networks.image_discriminator, state.networks.video_discriminator
    with frozen(*judges), autocast(batch.wave_BS.device):
        total = generator_loss(
            judges[0](fake_images).float(),
            judges[1](fake_windows).float(),
            reconstruction,
            adversarial_image_weight=loss.adversarial_image_weight,
            adversarial_video_weight=loss.adversarial_video_weight,
            reconstruction_weight=loss.reconstruction_weight,
            adversarial=loss.adversarial,
        )
    descend(state.optimizers["sound_to_video"], total * share)
    update_average(state)
    state.step += 1
    losses = {"generator": total, "reconstruction": reconstruction, "d_image": image_loss, "d_video": video_loss}
    return {name: value.detach() for name, value in losses.items()}


def update_discriminator(state: TrainingState, name: str, real: Tensor, fake: Tensor, share: float) -> Tensor:
    """One forward over real and fake together and one backward, as DDP wants it; returns the loss."""
    with autocast(real.device):
        real_logits, fake_logits = state.forward[name](torch.cat([real, fake])).float().chunk(2)
    loss = discriminator_loss(real_logits, fake_logits)
    descend(state.optimizers[name], loss * share)
    return loss


def descend(optimizer: Optimizer, loss: Tensor) -> None:
    """One optimiser step down the gradient of `loss`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def update_average(state: TrainingState) -> None:
    """Move the moving average of SE's and G's weights. It warms up, so that the first weights are soon forgotten."""
    if state.average is None:
        return
    decay = min(state.config.optim.ema_decay, (state.step + 1) / (state.step + 10))
    with torch.no_grad():
        averages, weights = state.average.parameters(), state.networks.sound_to_video.parameters()
        torch._foreach_lerp_(list(averages), list(weights), 1 - decay)


def frames_for_image(video_BFCHW: Tensor, batch: Batch) -> Tensor:
    """Γ_1: the single frames that D_I judges, [B·K, C, H, W]."""
    return _take(video_BFCHW, batch.image_frame_BK).flatten(0, 1)


def frames_for_video(video_BFCHW: Tensor, batch: Batch, state: TrainingState) -> Tensor:
    """Γ_T: the T consecutive frames that D_V judges, [B, T, C, H, W]."""
    consecutive = torch.arange(state.config.video_discriminator.frames, device=video_BFCHW.device)
    return _take(video_BFCHW, batch.video_start_B.unsqueeze(1) + consecutive)


def _take(video_BFCHW: Tensor, frames_BK: Tensor) -> Tensor:
    clips_B1 = torch.arange(len(video_BFCHW), device=video_BFCHW.device).unsqueeze(1)
    return video_BFCHW[clips_B1, frames_BK]


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Gradients flow through the networks, but not to their weights."""
    for network in networks:
        network.requires_grad_(False)
    yield
    for network in networks:
        network.requires_grad_(True)


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where a GPU has it, float32 elsewhere."""
    enabled = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
