"""The size of a video of a picture, and the square that the model sees of it."""

import numpy as np
import pytest

from s2v_ray.errors import UserError
from s2v_ray.generation.picture import Box, box_in, model_image, output_size, reduced_picture
from s2v_ray.media.decoding.rgb import Crop


@pytest.mark.parametrize(
    ("size", "max_side", "expected"),
    [
        ((1920, 1080), 1280, (1280, 720)),
        ((1080, 1920), 1280, (720, 1280)),
        ((4000, 3000), 1280, (1280, 960)),
        ((640, 480), 1280, (640, 480)),  # never enlarged
        ((641, 481), 1280, (640, 480)),
        ((1920, 1080), 721, (720, 404)),  # 721 x 405.6
        ((3, 2), 1280, (2, 2)),
        ((4000, 3), 1280, (1280, 2)),
    ],
)
def test_a_video_has_an_even_size_of_nearly_the_pictures_shape(
    size: tuple[int, int], max_side: int, expected: tuple[int, int]
) -> None:
    assert output_size(*size, max_side) == expected
    assert reduced_picture(np.zeros((*size[::-1], 3), np.uint8), max_side).shape == (*expected[::-1], 3)


def test_a_picture_that_is_not_reduced_keeps_its_pixels_but_for_an_odd_last_row_and_column() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (31, 45, 3), dtype=np.uint8)
    assert (reduced_picture(picture, 1280) == picture[:30, :44]).all()
    assert box_in(Crop(15, 1, 30), picture, reduced_picture(picture, 1280)) == Box(15, 1, 44, 30)


def test_a_picture_without_two_pixels_each_way_is_refused() -> None:
    with pytest.raises(UserError, match="1 x 40") as error:
        output_size(1, 40, 1280)
    assert error.value.code == "image_too_small"


def test_the_model_sees_the_square_of_the_picture_before_it_was_reduced() -> None:
    picture = np.zeros((400, 600, 3), np.uint8)
    picture[100:300, 250:450] = (200, 90, 10)
    reduced = reduced_picture(picture, 60)
    box = box_in(Crop(250, 100, 200), picture, reduced)
    assert (reduced.shape, box) == ((40, 60, 3), Box(25, 10, 45, 30))
    levels = (model_image(picture, reduced, box, 64) + 1) * 127.5
    inner = levels.permute(1, 2, 0).numpy()[2:-2, 2:-2]  # within what a cubic filter takes from beside it
    assert np.abs(inner - (200, 90, 10)).max() < 0.01
