"""Hues relative to the image's own, and folded ones for the benchmark of unseen colours."""

import colorsys

import numpy as np
import pytest
import torch
from benchmarks.recolour import recoloured

from s2v_ray.models.hue import mean_hue, rotate_hue
from s2v_ray.models.unet import UNet

THIRD = 2 * torch.pi / 3


def pixel(*rgb):
    return torch.tensor(rgb).reshape(1, 1, 3, 1, 1)


def test_a_third_of_a_turn_moves_each_channel_to_the_next():
    rotated = rotate_hue(pixel(0.5, -0.25, -1.0), torch.tensor([THIRD]))
    assert rotated.flatten().tolist() == pytest.approx([-1.0, 0.5, -0.25], abs=1e-6)


def test_greys_stay_and_each_video_has_its_own_angle():
    grey, red = pixel(0.3, 0.3, 0.3), pixel(0.5, -0.5, -0.5)
    rotated = rotate_hue(torch.cat([grey, red, red]), torch.tensor([1.0, 0.0, -THIRD]))
    assert rotated[0].flatten().tolist() == pytest.approx([0.3] * 3, abs=1e-6)
    assert rotated[1].equal(red[0])
    assert rotated[2].flatten().tolist() == pytest.approx([-0.5, -0.5, 0.5], abs=1e-6)


def test_red_rotated_by_half_a_turn_is_a_cyan_of_the_same_brightness():
    # The mean stays at -1/3: red (1, -1, -1) becomes (-5/3, 1/3, 1/3), out of range.
    rotated = rotate_hue(pixel(1.0, -1.0, -1.0), torch.tensor([torch.pi]))
    assert rotated.flatten().tolist() == pytest.approx([-5 / 3, 1 / 3, 1 / 3], abs=1e-6)


def test_the_mean_hue_is_that_of_the_mean_colour():
    red, green, blue = (colour.reshape(1, 3, 1, 1) for colour in torch.eye(3))
    for colour, angle in ((red, 0), (green, THIRD), (blue, -THIRD)):
        assert mean_hue(0.3 + 0.5 * colour.expand(1, 3, 4, 4)).item() == pytest.approx(angle, abs=1e-6)
    # As much of red as of green is yellow, half way between them; and all three are grey.
    assert mean_hue(torch.cat([red, green], dim=3)).item() == pytest.approx(THIRD / 2, abs=1e-6)
    assert mean_hue(torch.full((1, 3, 4, 4), 0.5)).item() == 0


@pytest.mark.parametrize("settings", [{"output": "tanh"}, {"output": "residual", "palette": 3}])
def test_an_image_in_other_hues_gives_the_same_video_in_those(settings):
    torch.manual_seed(0)
    plain = {"resolution": 16, "channels": (8, 8), "sound_features": 4, "film_levels": 2, **settings}
    model, dependent = UNet(**plain, relative_hue=True), UNet(**plain)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    dependent.load_state_dict(model.state_dict())
    images, sound, angles = torch.rand(2, 3, 16, 16) * 2 - 1, torch.randn(2, 5, 4), torch.tensor([0.7, -2.5])
    rotated = rotate_hue(images.unsqueeze(1), angles)[:, 0]
    differences = [
        (unet(rotated, sound) - rotate_hue(unet(images, sound), angles)).abs().max().item()
        for unet in (model, dependent)
    ]
    assert differences[0] < 1e-4 < 0.1 < differences[1]
    assert (model(images, sound) - images.unsqueeze(1)).abs().mean() > 0.1


def test_folded_hues_lie_in_their_range_with_saturation_and_value_kept():
    frames = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    made = list(recoloured(iter(frames), hues=(0.68, 0.92)))
    for before, after in zip(frames.reshape(-1, 3), np.stack(made).reshape(-1, 3), strict=True):
        _, saturation, value = colorsys.rgb_to_hsv(*before / 255)
        hue_after, saturation_after, value_after = colorsys.rgb_to_hsv(*after / 255)
        assert value_after == pytest.approx(value, abs=1 / 255)
        assert saturation_after == pytest.approx(saturation, abs=2 / max(1, before.max()))
        if after.max() > after.min() + 20:
            assert 0.66 < hue_after < 0.94
