"""Short trainings and their weights."""

from pathlib import Path

import torch
from helpers.small import small_config

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.data.loader import training_batches
from s2v_ray.training.loop import train
from s2v_ray.training.run import resume
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.state import TrainingState, new_state

CPU = torch.device("cpu")


def run_to(steps: int, clips: Path, run: Path, stop_at: int | None = None, **settings: object) -> TrainingState:
    """Train (or resume) until `steps`, without validation; `stop_at` asks for a stop after that step."""
    state = new_state(small_config(clips, training__steps=steps, **settings), CPU)
    reader = ClipReader(str(clips), "train")
    state.clips = reader.fingerprint
    resume(state, run)
    batches = training_batches(reader, state.config, CPU, first_step=state.step)
    train(state, batches, run, until=config_budget(state.config), stop=lambda: state.step == stop_at)
    return state


def weights(state: TrainingState) -> dict[str, torch.Tensor]:
    tensors = {
        f"{name}.{key}": value for name, net in state.networks.items() for key, value in net.state_dict().items()
    }
    assert state.ema is not None
    return tensors | {f"ema.{key}": value for key, value in state.ema.state_dict().items()}


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
