"""What a step sees of a clip."""

import numpy as np
import pytest
from helpers.small import small_config

from s2v_ray.config import with_settings
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.training.data.augmentation import draw_augmentation
from s2v_ray.training.data.loader import augmented
from s2v_ray.training.data.order import Draw
from s2v_ray.training.data.pixels import crop_size, motion_thumbnails


def test_thumbnails_are_of_all_frames_relative_to_their_mean():
    frames_THWC = np.zeros((2, 8, 8, 3), np.uint8)
    frames_THWC[1, :4, :4, 0] = 255  # a quarter turns red
    thumbnail_TP = motion_thumbnails(frames_THWC, 2)
    # A third of full scale, which is 2: half of that below and above the mean.
    assert thumbnail_TP == pytest.approx(np.array([[-1 / 3, 0, 0, 0], [1 / 3, 0, 0, 0]]), abs=0.01)
    assert motion_thumbnails(frames_THWC, 0).shape == (0, 0)


def test_the_crop_stays_near_the_centre_and_the_input_frame_is_mixed(small_clips):
    config = small_config(small_clips, data__crop_growth=0.0, data__crop_jitter=0.5, data__input_frame="mixed")
    drawn = [draw_augmentation(Draw(0, step, 0), config) for step in range(200)]
    assert {chosen.top for chosen in drawn} == {chosen.left for chosen in drawn} == {1, 2, 3}  # of 0 to 4
    firsts = sum(chosen.input_frame == 0 for chosen in drawn)
    assert 85 < firsts < 125  # half of them, and one in twenty of the others
    centred = with_settings(config, {"data.crop_jitter": 0.0})
    assert {draw_augmentation(Draw(0, step, 0), centred).top for step in range(9)} == {2}


def test_a_crop_that_may_grow_takes_in_up_to_the_whole_frame_and_keeps_its_size_in_the_batch(small_clips):
    config = small_config(small_clips, data__crop_growth=1.0, data__crop_jitter=1.0)
    stored, crop = config.clips.stored_size, crop_size(config.clips.stored_size)
    drawn = [draw_augmentation(Draw(0, step, 0), config) for step in range(200)]
    assert {chosen.side for chosen in drawn} == set(range(crop, stored + 1))
    assert all(edge >= 0 and edge + chosen.side <= stored for chosen in drawn for edge in (chosen.top, chosen.left))
    reader = ClipReader(small_clips, "train")
    shapes = {tuple(augmented(reader[0], Draw(0, step, 0), config)["frames"].shape[1:]) for step in range(20)}
    assert shapes == {(crop, crop, 3)}
