"""One step of the GAN: one forward of SE and G serves the discriminators' update and the generator's."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from s2v_ray.losses import (
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    reconstruction_loss,
    thumbnail_loss,
)
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.state import Discriminator, TrainingState
from s2v_ray.training.threads import Map

# What to minimise, and metrics by their names: means over the clips of a part of the batch.
Terms = tuple[Tensor, dict[str, Tensor]]


class Generated(NamedTuple):
    """What SE and G make of a part: frames [B, F, C, H, W], none before G is trained; and thumbnails of all frames."""

    fake_BFCHW: Tensor
    thumbnail_BTP: Tensor | None


def train_step(state: TrainingState, batch: Batch) -> dict[str, Tensor]:
    """Update D_I, D_V, and SE with G, on one batch.

    With `training.micro_batches`, one part of the batch is in memory at a time, so G generates it again for its own
    update. With `training.parallel_halves`, two threads compute a half each. The gradients are those of the whole.

    Returns losses and accuracies, means over its clips, and the norm of each network's gradient.
    """
    halves = state.map_halves
    parts = batch.parts(2 if halves else state.config.training.micro_batches)
    at_once = bool(halves) or len(parts) == 1
    made = list((halves or map)(partial(generate, state, for_gradient=at_once), parts))
    metrics = update_discriminators(state, parts, made)
    metrics |= update_generator(state, parts, made)
    update_ema(state)
    state.step += 1
    return metrics


def update_discriminators(state: TrainingState, parts: Sequence[Batch], made: Sequence[Generated]) -> dict[str, Tensor]:
    """One optimiser step of each discriminator that takes part."""
    metrics: dict[str, Tensor] = {}
    for discriminator in state.discriminators:
        network, optimizer = discriminator.forward, discriminator.optimizer
        terms = partial(discriminator_terms, state, discriminator)
        metrics |= optimizer_step(discriminator.name, network, optimizer, parts, made, terms, state.map_halves)
    return metrics


def update_generator(state: TrainingState, parts: Sequence[Batch], made: Sequence[Generated]) -> dict[str, Tensor]:
    """One optimiser step of SE and G, through the discriminators, whose weights stay."""
    network, optimizer = state.forward["generator"], state.optimizers["generator"]
    with frozen(*(discriminator.network for discriminator in state.discriminators)):
        untrained = () if state.generates else tuple(state.networks.generator.unet.parameters())
        terms = partial(generator_terms, state)
        return optimizer_step(
            "generator", network, optimizer, parts, made, terms, state.map_halves, untrained=untrained
        )


def update_ema(state: TrainingState) -> None:
    """Move the EMA of SE's and G's weights. Its decay warms up, so that the first weights are soon forgotten."""
    if state.ema is None:
        return
    decay = min(state.config.optim.ema_decay, (state.step + 1) / (state.step + 10))
    with torch.no_grad():
        averages, weights = state.ema.parameters(), state.networks.generator.parameters()
        torch._foreach_lerp_(list(averages), list(weights), 1 - decay)


def generate(state: TrainingState, part: Batch, *, for_gradient: bool) -> Generated:
    """What SE and G make of the part."""
    network = state.forward["generator"] if for_gradient else state.networks.generator
    chunk, thumbnails = state.config.training.frames_per_chunk, state.config.loss.thumbnail_weight > 0
    # Without any frame, too, all weights have gradients, as several workers need them: G's are zero.
    frame_BF = part.frame_BF if state.generates else part.frame_BF[:, :0]
    with torch.set_grad_enabled(for_gradient), autocast(state, part.wave_BS.device):
        made = network(part.image_BCHW, part.wave_BS, frame_BF, frames_per_chunk=chunk, with_thumbnails=thumbnails)
    fake_BFCHW, thumbnail_BTP = made if thumbnails else (made, None)
    dtype = part.video_BFCHW.dtype
    return Generated(fake_BFCHW.to(dtype), None if thumbnail_BTP is None else thumbnail_BTP.to(dtype))


def discriminator_terms(state: TrainingState, discriminator: Discriminator, part: Batch, made: Generated) -> Terms:
    """Equations 3 and 4, as D minimises them: one forward over real and fake together, as DDP wants it."""
    both = torch.cat([discriminator.frames(video, part) for video in (part.video_BFCHW, made.fake_BFCHW.detach())])
    with autocast(state, both.device):
        logits = discriminator.forward(both)
    real, fake = logits.to(both.dtype).chunk(2)
    loss = discriminator_loss(real, fake)
    correct = {"real": (real > 0).to(loss.dtype).mean(), "fake": (fake < 0).to(loss.dtype).mean()}
    name = discriminator.name
    return loss, {f"loss/{name}": loss, **{f"accuracy/{name}_{kind}": value for kind, value in correct.items()}}


def generator_terms(state: TrainingState, part: Batch, made: Generated) -> Terms:
    """Equations 1, 2 and 5, as SE and G minimise them, and the error of SE's thumbnails.

    What carries no gradient is generated again.
    """
    if not made.fake_BFCHW.requires_grad:
        made = generate(state, part, for_gradient=True)
    settings = state.config.loss
    loss, metrics = image_terms(state, part, made.fake_BFCHW) if state.generates else (made.fake_BFCHW.sum(), {})
    if made.thumbnail_BTP is not None:
        error = thumbnail_loss(made.thumbnail_BTP, part.thumbnail_BTP)
        loss, metrics = loss + settings.thumbnail_weight * error, metrics | {"loss/thumbnails": error}
    return loss, {"loss/generator": loss, **metrics}


def image_terms(state: TrainingState, part: Batch, fake_BFCHW: Tensor) -> Terms:
    """Equations 1, 2 and 5, as SE and G minimise them."""
    settings, adversarial, matching = state.config.loss, {}, {}
    reconstruction = reconstruction_loss(fake_BFCHW, part.video_BFCHW, settings.reconstruction)
    for discriminator in state.discriminators:
        fake_maps = seen_by(state, discriminator, fake_BFCHW, part)
        adversarial[discriminator.name] = adversarial_loss(fake_maps[-1], settings.adversarial)
        if settings.feature_matching_weight:
            with torch.no_grad():
                real_maps = seen_by(state, discriminator, part.video_BFCHW, part)
            matching[discriminator.name] = feature_matching_loss(fake_maps[:-1], real_maps[:-1])
    weights = {discriminator.name: discriminator.weight for discriminator in state.discriminators}
    loss = generator_loss(adversarial, weights, reconstruction, settings.reconstruction_weight)
    loss = loss + settings.feature_matching_weight * sum(matching.values())
    metrics = {f"loss/adversarial_{name}": value for name, value in adversarial.items()}
    metrics |= {f"loss/feature_matching_{name}": value for name, value in matching.items()}
    return loss, {"loss/reconstruction": reconstruction, **metrics}


def seen_by(state: TrainingState, discriminator: Discriminator, video_BFCHW: Tensor, part: Batch) -> list[Tensor]:
    """A discriminator's maps of the frames that it sees of a video, that of its logits last."""
    frames = discriminator.frames(video_BFCHW, part)
    with autocast(state, frames.device):
        maps = discriminator.network.features(frames)  # type: ignore[operator]
    return [map_NCHW.to(frames.dtype) for map_NCHW in maps]


def optimizer_step(
    name: str,
    network: nn.Module,
    optimizer: Optimizer,
    parts: Sequence[Batch],
    made: Sequence[Generated],
    terms: Callable[[Batch, Generated], Terms],
    map_halves: Map | None = None,
    *,
    untrained: Iterable[nn.Parameter] = (),
) -> dict[str, Tensor]:
    """One optimiser step on the terms of each part and what was generated for it.

    Workers synchronise gradients once, with the last part's backward. `map_halves` computes the two parts at the same
    time; of two, the sum of the gradients doesn't depend on the order. `untrained` weights stay as they are.

    Returns means over all clips, and the norm of the gradient.
    """

    def backward(part: Batch, generated: Generated) -> dict[str, Tensor]:
        synchronised = part is parts[-1] or not hasattr(network, "no_sync")  # only DDP has that
        with nullcontext() if synchronised else network.no_sync():  # type: ignore[operator]
            loss, values = terms(part, generated)
            (loss * part.loss_weight).backward()
        return values

    clips = sum(len(part.clip_ids) for part in parts)
    metrics: dict[str, Tensor] = {}
    for part, values in zip(parts, (map_halves or map)(backward, parts, made), strict=True):
        for key, value in values.items():
            metrics[key] = metrics.get(key, 0) + value.detach() * (len(part.clip_ids) / clips)
    for parameter in untrained:
        parameter.grad = None  # which is zero, but Adam would count its steps
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    metrics[f"gradient_norm/{name}"] = nn.utils.get_total_norm(gradients)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)  # at the end, since the next network's activations need that memory
    return metrics


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Gradients flow through the networks, but not to their weights."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)


def autocast(state: TrainingState, device: torch.device) -> torch.autocast:
    """What the networks compute in on this device; weights, losses and optimisers are in float32."""
    precision = state.config.training.precision
    on_gpu = device.type == "cuda" and torch.cuda.is_bf16_supported()
    enabled = precision == "bfloat16" or (precision == "auto" and on_gpu)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
