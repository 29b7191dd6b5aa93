"""The training benchmark: its naive sides compute what we do, and its lower bound is all of a step's products."""

from pathlib import Path

import pytest
import torch
from benchmarks.naive_gan import mocogan_step, naive_gan, pix2pix_step
from benchmarks.train_case import CPU, Case
from benchmarks.train_feed import feed, waiting
from benchmarks.train_floor import record, replay, spent_by_group
from benchmarks.train_memory import LiveBytes
from helpers.small import small_config
from torch import nn

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step


@pytest.fixture(scope="module")
def small_case(small_clips: Path) -> Case:
    losses = {"loss__thumbnail_weight": 0.0, "loss__feature_matching_weight": 0.0}
    config = small_config(small_clips, optim__ema_decay=0.0, **losses)
    return Case(config, ClipReader(str(small_clips), "train"))


@pytest.mark.parametrize("naive_step", [pix2pix_step, mocogan_step])
def test_a_naive_step_does_what_ours_does(small_case, naive_step):
    state, naive = new_state(small_case.config, CPU), naive_gan(small_case.config)
    seen = []
    for batch in small_case.batches(3):
        ours, theirs = train_step(state, batch), naive_step(naive, batch)
        for name, value in theirs.items():
            assert value == pytest.approx(float(ours[f"loss/{name}"]), rel=1e-3)
        seen.append(theirs["generator"])
    assert len(set(seen)) == 3  # they learn, so the losses change


def test_the_lower_bound_is_every_product_forward_and_backward():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(16, 2))
    images = torch.rand(5, 3, 4, 4)

    def step() -> None:
        model.zero_grad()
        model(images).square().sum().backward()

    calls = record(step)
    names = [str(func.overloadpacket) for func, *_ in calls]
    # A linear layer's gradient takes one product for its inputs and one for its weights.
    assert names == ["aten.convolution", "aten.addmm", "aten.mm", "aten.mm", "aten.convolution_backward"]
    _, args, _ = calls[-1]
    assert args[0].shape == (5, 4, 2, 2)
    assert args[-1] == [False, True, True]  # images need no gradient
    replay(calls)


def test_the_time_of_a_step_is_split_by_kind_of_operation():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.LeakyReLU())
    optimizer = torch.optim.Adam(model.parameters())
    images = torch.rand(5, 3, 16, 16)

    def step() -> None:
        model(images).sum().backward()
        optimizer.step()

    spent = spent_by_group(step, 2)
    assert {"convolutions and matrix products", "norm", "activation", "optimiser"} <= spent.keys()
    assert all(seconds > 0 for seconds in spent.values())
    assert list(spent.values()) == sorted(spent.values(), reverse=True)


def test_the_loader_is_measured_in_training_and_alone(small_case, small_clips):
    share = waiting("small", small_case, steps=2)
    assert 0 < share.ours < share.baseline
    (rate,) = feed("small", small_case, str(small_clips), repeats=1)
    assert 0 < rate.ours < rate.baseline


def test_tensors_count_for_as_long_as_they_live():
    x = torch.rand(1000, requires_grad=True)  # existed before
    with LiveBytes() as tensors:
        y = x.exp().sin()  # both are kept: the first for the gradient of the second
        assert tensors.now == 2 * 4000
        y.view(10, 100)  # no memory of its own
        del y
        assert tensors.now == 0
    assert tensors.peak == 2 * 4000
