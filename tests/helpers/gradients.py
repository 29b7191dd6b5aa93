"""What a step moves weights by."""

import torch

from s2v_ray.training.data.loader import Batch
from s2v_ray.training.state import TrainingState
from s2v_ray.training.step import train_step


def gradients_of_step(state: TrainingState, batch: Batch) -> dict[torch.Tensor, torch.Tensor]:
    """Take a step; returns the gradient of each weight as its optimiser got it."""
    found: dict[torch.Tensor, torch.Tensor] = {}

    def keep(optimizer: torch.optim.Optimizer, *_: object) -> None:
        for group in optimizer.param_groups:
            found.update({weight: weight.grad.clone() for weight in group["params"] if weight.grad is not None})

    hooks = [optimizer.register_step_pre_hook(keep) for optimizer in state.optimizers.values()]
    train_step(state, batch)
    for hook in hooks:
        hook.remove()
    return found
