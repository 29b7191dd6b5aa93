"""What the U-Net holds in memory."""

import pytest
import torch
from benchmarks.train_memory import LiveBytes

from s2v_ray.models.unet import UNet


def test_for_the_backward_pass_a_level_keeps_one_map():
    unet = UNet(resolution=16, channels=(16, 16), sound_features=4, film_levels=0, output="tanh")
    maps, sound_BTD = unet.encode(torch.zeros(1, 3, 16, 16)), torch.zeros(1, 1000, 4)
    with LiveBytes() as tensors:
        frames = unet.decode(maps, sound_BTD)
        floats = tensors.now / 4 / 1000
    # Of each frame 16 channels of 8 x 8, and the frame; not what norm and activation make of the former.
    assert floats == pytest.approx(16 * 8 * 8 + 3 * 16 * 16, rel=0.02)
    frames.sum().backward()


def test_without_a_backward_pass_the_frames_are_the_same():
    unet = UNet(
        resolution=16, channels=(16, 16), sound_features=4, film_levels=1, output="residual", palette=2, warp=0.1
    )
    maps, sound_BTD = unet.encode(torch.rand(1, 3, 16, 16)), torch.rand(1, 5, 4)
    frames = unet.decode(maps, sound_BTD)
    with torch.no_grad():
        assert torch.equal(unet.decode(maps, sound_BTD), frames)
