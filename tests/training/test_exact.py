"""The same mathematics on any number of workers: real processes, real DDP, float64."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from helpers.gradients import gradients_of_step
from helpers.small import SyntheticClips, small_config

from s2v_ray.config import Config, load_config, with_settings
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.data.loader import Batch, TrainingClips, to_device, training_batches
from s2v_ray.training.data.order import global_batch
from s2v_ray.training.state import TrainingState, new_state
from s2v_ray.training.step import train_step

CPU = torch.device("cpu")
STEPS = 20
GOLDEN = Path(__file__).parent / "golden"


def double(state: TrainingState) -> TrainingState:
    """The same state in float64."""
    for _, network in state.networks.items():
        network.double()
    if state.ema is not None:
        state.ema.double()
    return state


def doubled(batch: Batch) -> Batch:
    floats = {name: value.double() for name, value in vars(batch).items() if getattr(value, "dtype", 0) == torch.float}
    return replace(batch, **floats)


def parameters(state: TrainingState) -> list[torch.nn.Parameter]:
    return [weight for _, network in state.networks.items() for weight in network.parameters()]


def train_on_rank(rank: int, world_size: int, configs: dict[str, Config], clips: str, folder: str) -> None:
    """One worker: the gradients of the first step and the weights after the last, by configuration, go to files."""
    torch.set_num_threads(1)
    distributed = world_size > 1
    if distributed:
        store = torch.distributed.FileStore(f"{folder}/store", world_size)
        torch.distributed.init_process_group(
            "gloo", store=store, rank=rank, world_size=world_size, timeout=timedelta(seconds=60)
        )
    for name, config in configs.items():
        torch.set_default_dtype(torch.float64)  # before DDP lays out its buckets
        state = new_state(config, CPU, distributed=distributed)
        torch.set_default_dtype(torch.float32)
        reader = ClipReader(clips, "train")
        batches = training_batches(reader, config, CPU, rank=rank, world_size=world_size)
        result = {"gradients": list(gradients_of_step(state, doubled(next(batches))).values())}
        for _ in range(STEPS - 1):
            train_step(state, doubled(next(batches)))
        result["weights"] = [weight.detach() for weight in parameters(state)]
        torch.save(result, f"{folder}/{name}_{world_size}_{rank}")
    if distributed:
        torch.distributed.destroy_process_group()


def test_two_workers_have_the_gradients_and_weights_of_one(small_clips, tmp_path):
    whole, parts = (small_config(small_clips, training__micro_batches=count) for count in (1, 2))
    train_on_rank(0, 1, {"whole": whole}, str(small_clips), str(tmp_path))
    configs = {"whole": whole, "parts": parts}
    torch.multiprocessing.spawn(train_on_rank, (2, configs, str(small_clips), str(tmp_path)), nprocs=2)
    alone = torch.load(tmp_path / "whole_1_0")
    for name in configs:
        first, second = (torch.load(tmp_path / f"{name}_2_{rank}") for rank in (0, 1))
        for one, two in zip(alone["gradients"], first["gradients"], strict=True):
            assert torch.allclose(one, two, rtol=1e-6, atol=1e-12), name
        for one, two, other in zip(alone["weights"], first["weights"], second["weights"], strict=True):
            assert torch.equal(two, other), name
            assert torch.allclose(one, two, rtol=1e-6, atol=1e-9), name


# Sizes that make ten steps quick; all else is the preset's own.
GOLDEN_SIZES = {
    "generator.base_channels": 8,
    "generator.max_channels": 32,
    "image_discriminator.channels": [8, 16],
    "video_discriminator.channels": [8, 16],
    "sound.hidden": 8,
    "training.batch_size": 2,
}


@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_the_losses_of_the_first_ten_steps_are_what_they_were(preset):
    # After a change that is meant to change the mathematics: delete tests/golden and run this twice.
    frames = {"data.train_frames": 18, "data.frames_per_step": 0} if preset == "paper" else {}
    config = with_settings(load_config(preset), GOLDEN_SIZES | frames)
    clips, state = TrainingClips(SyntheticClips(config), config), double(new_state(config, CPU))
    curve = []
    for step in range(10):
        draws = global_batch(step, clip_count=4, batch_size=2, seed=0)
        items = torch.utils.data.default_collate([clips[draw] for draw in draws])
        metrics = train_step(state, doubled(to_device(items, config.data.resolution, CPU, loss_weight=1.0, epoch=0)))
        curve.append({name: float(value) for name, value in metrics.items() if name.startswith("loss/")})
    golden = GOLDEN / f"{preset}.json"
    if not golden.exists():
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(json.dumps(curve, indent=1) + "\n")
        pytest.fail(f"{golden} was missing; it is written now")
    for ours, theirs in zip(curve, json.loads(golden.read_text()), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6)
