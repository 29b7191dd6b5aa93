"""One step of the GAN: one forward of SE and G serves the discriminators' update and the generator's."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from s2v_ray.losses import adversarial_loss, discriminator_loss, generator_loss, reconstruction_loss
from s2v_ray.training.data.loader import Batch
from s2v_ray.training.state import TrainingState

# What to minimise, and what to tell of it by name: means over the clips of a part.
Terms = tuple[Tensor, dict[str, Tensor]]


def train_step(state: TrainingState, batch: Batch) -> dict[str, Tensor]:
    """Update D_I, D_V, and SE with G, on one batch; returns losses and accuracies, means over its clips.

    With `training.micro_batches`, one part of the batch is in memory at a time, so G makes it again for its own update;
    the gradients are those of the whole.
    """
    parts = batch.parts(state.config.training.micro_batches)
    once = len(parts) == 1
    fakes = [make_frames(state, part, for_gradient=once) for part in parts]
    told: dict[str, Tensor] = {}
    for judge in state.judges:
        told |= descend(state, judge, partial(judge_terms, state, judge), parts, fakes)
    with frozen(*(state.networks[judge] for judge in state.judges)):
        told |= descend(state, "generator", partial(generator_terms, state), parts, fakes if once else [])
    update_ema(state)
    state.step += 1
    return told


def make_frames(state: TrainingState, part: Batch, *, for_gradient: bool) -> Tensor:
    """What SE and G make of the part: frames [B, F, C, H, W]."""
    network = state.forward["generator"] if for_gradient else state.networks.generator
    at_once = state.config.training.frames_per_chunk
    with torch.set_grad_enabled(for_gradient), autocast(part.wave_BS.device):
        fake_BFCHW = network(part.image_BCHW, part.wave_BS, part.frame_BF, frames_per_chunk=at_once)
    return fake_BFCHW.to(part.video_BFCHW.dtype)


def judge_terms(state: TrainingState, judge: str, part: Batch, fake_BFCHW: Tensor | None) -> Terms:
    """Equations 3 and 4, as D minimises them: one forward over real and fake together, as DDP wants it."""
    assert fake_BFCHW is not None
    both = torch.cat([judged_frames(judge, video, part) for video in (part.video_BFCHW, fake_BFCHW.detach())])
    with autocast(both.device):
        logits = state.forward[judge](both)
    real, fake = logits.to(both.dtype).chunk(2)
    loss = discriminator_loss(real, fake)
    right = {"real": (real > 0).to(loss.dtype).mean(), "fake": (fake < 0).to(loss.dtype).mean()}
    return loss, {f"loss/{judge}": loss, **{f"accuracy/{judge}_{kind}": value for kind, value in right.items()}}


def generator_terms(state: TrainingState, part: Batch, fake_BFCHW: Tensor | None) -> Terms:
    """Equations 1, 2 and 5, as SE and G minimise them."""
    if fake_BFCHW is None:
        fake_BFCHW = make_frames(state, part, for_gradient=True)
    settings, adversarial = state.config.loss, {}
    reconstruction = reconstruction_loss(fake_BFCHW, part.video_BFCHW, settings.reconstruction)
    for judge in state.judges:
        frames = judged_frames(judge, fake_BFCHW, part)
        with autocast(frames.device):
            logits = state.networks[judge](frames)
        adversarial[judge] = adversarial_loss(logits.to(frames.dtype), settings.adversarial)
    loss = generator_loss(adversarial, state.judges, reconstruction, settings.reconstruction_weight)
    told = {f"loss/adversarial_{judge}": value for judge, value in adversarial.items()}
    return loss, {"loss/generator": loss, "loss/reconstruction": reconstruction, **told}


def descend(
    state: TrainingState,
    name: str,
    terms: Callable[[Batch, Tensor | None], Terms],
    parts: Sequence[Batch],
    fakes: Sequence[Tensor],
) -> dict[str, Tensor]:
    """One optimiser step of a network; workers synchronise its gradients once, with the last part's backward."""
    clips = sum(len(part.clip_ids) for part in parts)
    told: dict[str, Tensor] = {}
    state.optimizers[name].zero_grad(set_to_none=True)
    for number, part in enumerate(parts):
        with nullcontext() if number == len(parts) - 1 else state.no_sync(name):
            loss, values = terms(part, fakes[number] if fakes else None)
            (loss * part.share).backward()
        for key, value in values.items():
            told[key] = told.get(key, 0) + value.detach() * (len(part.clip_ids) / clips)
    state.optimizers[name].step()
    return told


def update_ema(state: TrainingState) -> None:
    """Move the moving average of SE's and G's weights. It warms up, so that the first weights are soon forgotten."""
    if state.ema is None:
        return
    decay = min(state.config.optim.ema_decay, (state.step + 1) / (state.step + 10))
    with torch.no_grad():
        averages, weights = state.ema.parameters(), state.networks.generator.parameters()
        torch._foreach_lerp_(list(averages), list(weights), 1 - decay)


def judged_frames(judge: str, video_BFCHW: Tensor, batch: Batch) -> Tensor:
    """What a discriminator sees: Γ_1, single frames [B·K, C, H, W], or Γ_T, T of them in order [B, T, C, H, W]."""
    if judge == "image_discriminator":
        return _take(video_BFCHW, batch.image_frame_BK).flatten(0, 1)
    return _take(video_BFCHW, batch.video_frame_BT)


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
