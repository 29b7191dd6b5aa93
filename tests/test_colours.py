"""Colours that are turned for training, and folded for the benchmark of unseen ones."""

import colorsys
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import small_config

from s2v_ray.clips.augmentation import draw_augmentation
from s2v_ray.clips.batch import training_batches
from s2v_ray.clips.order import Draw
from s2v_ray.clips.pixels import turn_hue
from s2v_ray.clips.reader import ClipReader

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))

from benchmarks.recolour import recoloured

THIRD = 2 * torch.pi / 3


def picture(*rgb):
    return torch.tensor(rgb).reshape(1, 1, 3, 1, 1)


def test_a_third_of_a_turn_passes_the_channels_on():
    turned = turn_hue(picture(0.5, -0.25, -1.0), torch.tensor([THIRD]))
    assert turned.flatten().tolist() == pytest.approx([-1.0, 0.5, -0.25], abs=1e-6)


def test_greys_stay_and_each_clip_has_its_own_angle():
    grey, red = picture(0.3, 0.3, 0.3), picture(0.5, -0.5, -0.5)
    turned = turn_hue(torch.cat([grey, red, red]), torch.tensor([1.0, 0.0, -THIRD]))
    assert turned[0].flatten().tolist() == pytest.approx([0.3] * 3, abs=1e-6)
    assert turned[1].equal(red[0])
    assert turned[2].flatten().tolist() == pytest.approx([-0.5, -0.5, 0.5], abs=1e-6)


def test_half_a_turn_of_red_is_cyan_within_the_range():
    # Brightness, the mean, stays at -1/3: red (1, -1, -1) goes to (-5/3, 1/3, 1/3), cut to what can be shown.
    turned = turn_hue(picture(1.0, -1.0, -1.0), torch.tensor([torch.pi]))
    assert turned.flatten().tolist() == pytest.approx([-1.0, 1 / 3, 1 / 3], abs=1e-6)


def test_a_share_of_the_clips_is_recoloured_each_as_a_whole(small_clips):
    settings = {"recoloured": small_config(small_clips), "plain": small_config(small_clips, data__recoloured=0.0)}
    hues = [draw_augmentation(Draw(0, step, 0), settings["recoloured"]).hue for step in range(400)]
    assert np.mean(np.array(hues) != 0) == pytest.approx(0.5, abs=0.1)
    reader = ClipReader(str(small_clips), "train")
    batches = {name: next(training_batches(reader, each, torch.device("cpu"))) for name, each in settings.items()}
    angles = torch.tensor([draw_augmentation(Draw(0, 0, place), settings["recoloured"]).hue for place in range(4)])
    assert angles.any()
    expected = turn_hue(batches["plain"].video_BFCHW, angles)
    assert torch.allclose(batches["recoloured"].video_BFCHW, expected, atol=1e-6)
    assert torch.allclose(
        batches["recoloured"].picture_BCHW, turn_hue(batches["plain"].picture_BCHW[:, None], angles)[:, 0]
    )


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
