"""Where in a picture the square is that a model knows."""

import cv2
import numpy as np
import pytest
import torch

from s2v_ray.errors import UserError
from s2v_ray.generation.region import find_region
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.training.data.pixels import to_float


def face(seed: int) -> np.ndarray:
    """A head with eyes and a mouth, 300 pixels square, that differs a little from seed to seed."""
    random = np.random.default_rng(seed)
    image = np.full((300, 300, 3), random.integers(20, 70, 3), np.uint8)

    def ellipse(x: float, y: float, a: float, b: float, colour: tuple[int, int, int]) -> None:
        x, y, a, b = (int(value + random.integers(-3, 4)) for value in (x, y, a, b))
        cv2.ellipse(image, (x, y), (a, b), 0, 0, 360, colour, -1, cv2.LINE_AA)

    skin = tuple(int(value) for value in random.integers(150, 210, 3))
    ellipse(150, 160, 95, 125, skin)
    for x in (110, 190):
        ellipse(x, 130, 18, 9, (245, 245, 245))
        ellipse(x, 130, 8, 8, (20, 20, 20))
    ellipse(150, 180, 10, 22, tuple(int(0.8 * value) for value in skin))
    ellipse(150, 235, 36, 12, (150, 30, 40))
    return image


def textured(height: int, width: int, seed: int) -> np.ndarray:
    """Blurred noise, as a background."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 12, width // 12, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def mean_frame() -> torch.Tensor:
    faces = [cv2.resize(face(seed), (64, 64), interpolation=cv2.INTER_AREA) for seed in range(10)]
    return to_float(torch.from_numpy(np.mean(faces, axis=0)))


@pytest.mark.parametrize(
    ("height", "width", "square"),
    [
        (480, 800, Crop(420, 90, 210)),
        (800, 450, Crop(90, 330, 333)),
        (480, 640, Crop(10, 250, 120)),
        (300, 300, Crop(0, 0, 300)),
        (60, 80, Crop(21, 7, 40)),  # fewer pixels than the mean frame
    ],
)
def test_auto_finds_the_square_within_a_few_per_cent(
    mean_frame: torch.Tensor, height: int, width: int, square: Crop
) -> None:
    picture = textured(height, width, 5)
    rows, columns = slice(square.y, square.y + square.size), slice(square.x, square.x + square.size)
    picture[rows, columns] = cv2.resize(face(77), (square.size, square.size), interpolation=cv2.INTER_AREA)
    found, reason = find_region("auto", picture, mean_frame)
    assert "looks like the training frames" in reason
    off = np.subtract((found.x, found.y, found.size), (square.x, square.y, square.size))
    assert np.abs(off).max() <= 0.05 * square.size
    # Of the found square, the middle that training saw.
    inner, _ = find_region("auto", picture, mean_frame, 0.8)
    assert inner.size == pytest.approx(0.8 * found.size, abs=1)
    assert inner.x + inner.size / 2 == pytest.approx(found.x + found.size / 2, abs=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["noise", "texture", "flat", "two faces"])
def test_where_it_is_unsure_auto_takes_the_centre_and_says_so(mean_frame: torch.Tensor, kind: str, seed: int) -> None:
    picture = textured(360, 640, seed)
    if kind == "noise":
        picture = np.random.default_rng(seed).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    if kind == "flat":
        picture[:] = 60 * (1 + seed)
    if kind == "two faces":
        for x in (20, 420):
            picture[80:280, x : x + 200] = cv2.resize(face(seed + 20), (200, 200), interpolation=cv2.INTER_AREA)
    found, reason = find_region("auto", picture, mean_frame)
    assert found == Crop(140, 0, 360)
    assert reason.startswith("the centre, since nothing in the image looks clearly like")


def test_without_a_mean_frame_auto_takes_the_centre_and_says_so() -> None:
    found, reason = find_region("auto", np.zeros((90, 61, 3), np.uint8), None)
    assert found == Crop(0, 14, 61)
    assert "no mean training frame" in reason


def test_a_strip_is_not_searched(mean_frame: torch.Tensor) -> None:
    # Enlarged until its two rows fill the mean frame, it would take gigabytes.
    found, reason = find_region("auto", np.zeros((2, 30_000, 3), np.uint8), mean_frame)
    assert found == Crop(14_999, 0, 2)
    assert "30000 x 2 pixels is too long" in reason


def test_a_square_can_be_given(mean_frame: torch.Tensor) -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    assert find_region("35,10,20", picture, mean_frame).square == Crop(35, 10, 20)
    assert find_region("centre", picture, mean_frame).square == Crop(10, 0, 40)
    with pytest.raises(UserError, match="--region 45,10,20 leaves the image of 60 x 40 pixels") as error:
        find_region("45,10,20", picture, mean_frame)
    assert error.value.code == "region_outside"
