"""The probe's network: sound and first frame in, components of every frame out."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_CHANNELS, _HIDDEN, _DROPOUT, _NOISE = 64, 64, 0.1, 0.5
BATCH, _LEARNING_RATE, _WEIGHT_DECAY, _LARGEST_GRADIENT = 8, 4e-3, 0.01, 1.0
_OTHER_FIRST = 0.7  # how often another frame than the first stands for it: a clip then teaches what many would
_TINY = 1e-6
_AT_ONCE = 64  # clips


class ProbeNetwork(nn.Module):
    """Two convolutions over time and a bidirectional LSTM."""

    def __init__(self, *, sound: int, components: int) -> None:
        super().__init__()
        self.early = nn.Conv1d(sound, _CHANNELS, 3, padding=1)
        self.late = nn.Conv1d(_CHANNELS, _CHANNELS, 3, padding=1)
        self.lstm = nn.LSTM(_CHANNELS + components, _HIDDEN, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * _HIDDEN, components)
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, sound_BTD: Tensor, first_BK: Tensor) -> Tensor:
        """Normalised spectra, and the first frame's normalised components, to those of each frame [B, T, K]."""
        heard_BDT = functional.gelu(self.early(self.dropout(sound_BTD).transpose(1, 2)))
        heard_BTD = functional.gelu(self.late(heard_BDT)).transpose(1, 2)
        first_BTK = first_BK[:, None].expand(-1, heard_BTD.shape[1], -1)
        frames_BTK: Tensor = self.head(self.dropout(self.lstm(torch.cat([heard_BTD, first_BTK], 2))[0]))
        return frames_BTK


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of spectra and first frames, and the root mean squares of components."""

    sound_mean_D: Tensor
    sound_deviation_D: Tensor
    first_mean_K: Tensor
    first_deviation_K: Tensor
    component_K: Tensor


@dataclass(frozen=True)
class Predictor:
    """A trained network in the units of its data."""

    network: ProbeNetwork
    scaling: Scaling

    @torch.no_grad()
    def __call__(self, spectra_BTD: Tensor, first_BK: Tensor) -> Tensor:
        """Coefficients [B, T, K] of frames, as those of `Targets`."""
        chunks = zip(spectra_BTD.split(_AT_ONCE), first_BK.split(_AT_ONCE), strict=True)
        inputs = [_normalised(spectra, first, self.scaling) for spectra, first in chunks]
        return torch.cat([self.network(*each) for each in inputs]) * self.scaling.component_K


def train_predictor(
    spectra_NTD: Tensor, first_NK: Tensor, coefficients_NTK: Tensor, *, bands: int, steps: int
) -> Predictor:
    """A network that predicts the coefficients of all frames of N clips; random numbers are torch's.

    Each of `bands` is normalised over all clips, frames and hops. The loss is the squared error of the frames within
    the components.
    """
    hops = spectra_NTD.shape[2] // bands
    levels = spectra_NTD.unflatten(2, (hops, bands)).flatten(0, 2)
    scaling = Scaling(
        levels.mean(0).repeat(hops),
        levels.std(0).repeat(hops) + _TINY,
        first_NK.mean(0),
        first_NK.std(0, correction=0) + _TINY,
        coefficients_NTK.square().mean((0, 1)).sqrt() + _TINY,
    )
    network = ProbeNetwork(sound=spectra_NTD.shape[2], components=first_NK.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps, pct_start=0.2)
    share_K = scaling.component_K.square() / scaling.component_K.square().sum()
    order = torch.cat([torch.randperm(len(first_NK)) for _ in range(-(-steps * BATCH // len(first_NK)))])
    for step in range(steps):
        chosen = order[step * BATCH : (step + 1) * BATCH]
        first_BK, target_BTK = _from_other_frames(first_NK[chosen], coefficients_NTK[chosen])
        sound_BTD, first_BK = _normalised(spectra_NTD[chosen], first_BK, scaling)
        predicted_BTK = network(sound_BTD + _NOISE * torch.randn_like(sound_BTD), first_BK)
        loss = ((predicted_BTK - target_BTK / scaling.component_K).square() * share_K).sum(2).mean()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()
    return Predictor(network.eval(), scaling)


def _from_other_frames(first_BK: Tensor, coefficients_BTK: Tensor) -> tuple[Tensor, Tensor]:
    """The components of a random frame of most clips, and of all frames as differences from that one."""
    batch, frames, _ = coefficients_BTK.shape
    chosen_B = torch.where(torch.rand(batch) < _OTHER_FIRST, torch.randint(frames, (batch,)), 0)
    # The first frame differs from itself by nothing, which has coefficients: those of minus the mean.
    difference_BK = coefficients_BTK[torch.arange(batch), chosen_B] - coefficients_BTK[:, 0]
    return first_BK + difference_BK, coefficients_BTK - difference_BK[:, None]


def _normalised(spectra_BTD: Tensor, first_BK: Tensor, scaling: Scaling) -> tuple[Tensor, Tensor]:
    sound_BTD = (spectra_BTD - scaling.sound_mean_D) / scaling.sound_deviation_D
    first_BK = (first_BK - scaling.first_mean_K) / scaling.first_deviation_K
    return sound_BTD, first_BK.clamp(-4, 4)  # a held-out source may look like none before
