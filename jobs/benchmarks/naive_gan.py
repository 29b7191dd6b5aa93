"""The same GAN as pix2pix and MoCoGAN would do it: the honest baselines of `benchmark.py train`.

Both encode the image and concatenate the skips for every frame (pix2pix, Isola et al. 2017). pix2pix runs the
generator once for both updates. MoCoGAN (Tulyakov et al. 2018) runs it again for its own update, and passes real and
fake through each discriminator separately.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from benchmarks.train_case import CPU
from s2v_ray.config import Config
from s2v_ray.models.change import apply_change
from s2v_ray.models.unet import UNet, UpBlock
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.networks import build_networks

# A discriminator, real and fake to the logits of both.
Logits = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor]]


class ConcatenatingUpBlock(nn.Module):
    """An `UpBlock` with the same weights, as one transposed convolution over concat(x, skip)."""

    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        weight = torch.cat([block.over_x.weight, block.over_skip.weight])
        size, padding = weight.shape[2], block.over_x.padding[0]
        self.over_both = nn.ConvTranspose2d(weight.shape[0], weight.shape[1], size, stride=2, padding=int(padding))
        self.over_both.load_state_dict({"weight": weight, "bias": block.over_x.bias})
        self.norm, self.film, self.last = copy.deepcopy(block.norm), copy.deepcopy(block.film), block.last

    def forward(self, x_NCHW: Tensor, skip_NCHW: Tensor, sound_ND: Tensor) -> Tensor:
        """N maps and N skips."""
        x: Tensor = self.norm(self.over_both(torch.cat([x_NCHW, skip_NCHW], dim=1)))
        if self.film is not None:
            scale, shift = self.film(sound_ND)[:, :, None, None].chunk(2, dim=1)
            x = x * (1 + scale) + shift
        return x if self.last else functional.leaky_relu(x, 0.2)


class FrameByFrameUNet(nn.Module):
    """A `UNet` with the same weights that treats each frame as a sample of its own."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.head = copy.deepcopy(unet)
        self.down = self.head.down
        self.up = nn.ModuleList(ConcatenatingUpBlock(cast("UpBlock", block)) for block in unet.up)
        del self.head.up

    def forward(self, image_BCHW: Tensor, sound_BTD: Tensor) -> Tensor:
        """Images [B, 3, H, W] and features [B, T, D] to frames [B, T, 3, H, W]."""
        image_NCHW = image_BCHW.repeat_interleave(sound_BTD.shape[1], dim=0)
        sound_ND = sound_BTD.flatten(0, 1)
        maps = self.head.encode(image_NCHW)
        x = half = sound_ND[:, :, None, None].expand(-1, -1, *maps[-1].shape[-2:])
        for block, skip in zip(self.up, reversed(maps[1:]), strict=True):
            half, x = x, block(x, skip, sound_ND)
        warp = None if self.head.to_warp is None else self.head.to_warp(half).unsqueeze(1)
        frames_NCHW = apply_change(image_NCHW, self.head.as_change(maps, x.unsqueeze(1), warp))[:, 0]
        return torch.unflatten(frames_NCHW, 0, sound_BTD.shape[:2])


@dataclass(frozen=True)
class NaiveGan:
    """The networks of a configuration, with the weights that our training would start from."""

    config: Config
    sound_encoder: nn.Module
    unet: nn.Module
    image_discriminator: nn.Module
    video_discriminator: nn.Module
    optimizers: dict[str, Optimizer]

    def fake(self, batch: Batch) -> Tensor:
        """The frames of a batch, [B, F, 3, H, W]."""
        features_BTD = self.sound_encoder(batch.wave_BS).take_along_dim(batch.frame_BF.unsqueeze(-1), dim=1)
        video_BFCHW: Tensor = self.unet(batch.image_BCHW, features_BTD)
        return video_BFCHW


def naive_gan(config: Config, device: torch.device = CPU) -> NaiveGan:
    """The naive twin of the training's first state."""
    networks, optim = build_networks(config).to(device), config.optim
    unet = FrameByFrameUNet(networks.generator.unet)
    trained = {
        "generator": (nn.ModuleList([networks.generator.sound_encoder, unet]), optim.generator_lr),
        "image": (networks.image_discriminator, optim.image_discriminator_lr),
        "video": (networks.video_discriminator, optim.video_discriminator_lr),
    }
    optimizers: dict[str, Optimizer] = {
        name: Adam(network.parameters(), lr=rate, betas=(optim.beta1, optim.beta2))
        for name, (network, rate) in trained.items()
    }
    return NaiveGan(
        config,
        networks.generator.sound_encoder,
        unet,
        networks.image_discriminator,
        networks.video_discriminator,
        optimizers,
    )


def pix2pix_step(gan: NaiveGan, batch: Batch) -> dict[str, float]:
    """One run of the generator for both updates; real and fake in one batch. Returns the losses."""

    def logits(network: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        real_logits, fake_logits = network(torch.cat([real, fake])).chunk(2)
        return real_logits, fake_logits

    fake_BFCHW = gan.fake(batch)
    losses = _update_discriminators(gan, batch, fake_BFCHW, logits)
    return losses | _update_generator(gan, batch, fake_BFCHW)


def mocogan_step(gan: NaiveGan, batch: Batch) -> dict[str, float]:
    """The generator runs again for its own update; real and fake separately. Returns the losses."""

    def logits(network: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return network(real), network(fake)

    losses = _update_discriminators(gan, batch, gan.fake(batch), logits)
    return losses | _update_generator(gan, batch, gan.fake(batch))


def _update_discriminators(gan: NaiveGan, batch: Batch, fake_BFCHW: Tensor, logits: Logits) -> dict[str, float]:
    losses = {}
    real, fake = _images(batch.video_BFCHW, batch), _images(fake_BFCHW.detach(), batch)
    loss = _discriminator_loss(*logits(gan.image_discriminator, real, fake))
    losses["image_discriminator"] = _optimizer_step(gan, "image", loss)
    real, fake = _windows(batch.video_BFCHW, batch), _windows(fake_BFCHW.detach(), batch)
    loss = _discriminator_loss(*logits(gan.video_discriminator, real, fake))
    losses["video_discriminator"] = _optimizer_step(gan, "video", loss)
    return losses


def _update_generator(gan: NaiveGan, batch: Batch, fake_BFCHW: Tensor) -> dict[str, float]:
    settings = gan.config.loss
    distance = functional.l1_loss if settings.reconstruction == "l1" else functional.mse_loss
    reconstruction = distance(fake_BFCHW, batch.video_BFCHW)
    discriminators = nn.ModuleList([gan.image_discriminator, gan.video_discriminator]).requires_grad_(False)
    total = (
        settings.adversarial_image_weight * _adversarial_loss(gan.image_discriminator(_images(fake_BFCHW, batch)))
        + settings.adversarial_video_weight * _adversarial_loss(gan.video_discriminator(_windows(fake_BFCHW, batch)))
        + settings.reconstruction_weight * reconstruction
    )
    loss = _optimizer_step(gan, "generator", total)
    discriminators.requires_grad_(True)
    return {"generator": loss, "reconstruction": reconstruction.item()}


def _optimizer_step(gan: NaiveGan, name: str, loss: Tensor) -> float:
    gan.optimizers[name].zero_grad()
    loss.backward()
    gan.optimizers[name].step()
    return loss.item()


def _discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    ones, zeros = torch.ones_like(real_logits), torch.zeros_like(fake_logits)
    cross_entropy = functional.binary_cross_entropy_with_logits
    return cross_entropy(real_logits, ones) + cross_entropy(fake_logits, zeros)


def _adversarial_loss(fake_logits: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


def _images(video_BFCHW: Tensor, batch: Batch) -> Tensor:
    return torch.cat([video[frames] for video, frames in zip(video_BFCHW, batch.image_frame_BK, strict=True)])


def _windows(video_BFCHW: Tensor, batch: Batch) -> Tensor:
    return torch.stack([video[frames] for video, frames in zip(video_BFCHW, batch.video_frame_BT, strict=True)])
