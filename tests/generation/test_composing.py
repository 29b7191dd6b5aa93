"""A change applied to a whole picture."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from s2v_ray.generation.composing import FEATHER, whole_frames
from s2v_ray.generation.picture import Box
from s2v_ray.models.change import Change, apply_change
from s2v_ray.training.data.pixels import to_bytes, to_float


def picture(height: int, width: int) -> np.ndarray:
    random = np.random.default_rng(0)
    coarse = random.integers(70, 180, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def smooth(channels: int, *, frames: int = 3, side: int = 32, scale: float = 1.0, seed: int = 1) -> torch.Tensor:
    """Noise [1, T, C, side, side] of 4 x 4 pixels, enlarged."""
    coarse = torch.randn(frames, channels, 4, 4, generator=torch.Generator().manual_seed(seed)) * scale
    return functional.interpolate(coarse, size=(side, side), mode="bicubic").unsqueeze(0)


def full_change(side: int = 32) -> Change:
    """With a residual, a palette and a warp."""
    return Change(
        smooth(3, side=side, scale=0.1),
        smooth(2, side=side, scale=0.2, seed=2),
        torch.tensor([[[0.9, -0.5], [-0.2, 0.3], [0.1, 0.8]]]),
        smooth(2, side=side, scale=0.02, seed=3),
        smooth(1, side=side, seed=4).sigmoid(),
    )


def frames_of(image_HWC: np.ndarray, box: Box, change: Change) -> np.ndarray:
    return np.stack(list(whole_frames(image_HWC, box, [change]))).astype(int)


@pytest.mark.parametrize("parts", ["residual", "palette", "warp"])
def test_at_the_models_size_the_frames_are_those_of_the_model(parts: str) -> None:
    image_HWC, change = picture(32, 32), full_change()
    if parts != "warp":
        change = change._replace(flow_BT2HW=None, mask_BT1HW=None)
    if parts == "residual":
        change = change._replace(weight_BTKHW=None, colour_BCK=None)
    reference_BTCHW = apply_change(to_float(torch.from_numpy(image_HWC))[None], change)
    expected = to_bytes(reference_BTCHW[0]).numpy().astype(int)
    made = frames_of(image_HWC, Box(0, 0, 32, 32), change)
    # A warp takes cubic taps where the reference takes linear ones: on a smooth picture nearly the same.
    off = np.abs(made - expected)
    assert off.max() <= (1 if parts != "warp" else 8)
    assert off.mean() < (0.1 if parts != "warp" else 0.5)
    assert np.abs(expected - image_HWC).mean() > 5  # something was changed


def test_pixels_outside_the_box_stay_and_the_change_fades_towards_them() -> None:
    image_HWC, box = picture(240, 320), Box(60, 40, 220, 200)
    made = frames_of(image_HWC, box, Change(torch.full((1, 2, 3, 32, 32), 0.2)))
    added = made - image_HWC
    outside = np.ones((240, 320), bool)
    outside[40:200, 60:220] = False
    assert (added[:, outside] == 0).all()
    feather = round(FEATHER * 160)
    middle = added[0, 40 + feather : 200 - feather, 60 + feather : 220 - feather]
    assert np.abs(middle - 0.2 * 127.5).max() <= 1  # 25.5, rounded with the pixel
    for line in (added[0, 120, 60:220, 0], added[0, 40:200, 140, 0]):
        assert line[0] <= 1
        assert line[-1] <= 1
        assert (np.diff(line[:feather]) >= 0).all()
        assert (np.diff(line[-feather:]) <= 0).all()


def test_where_the_picture_ends_with_the_box_nothing_fades() -> None:
    image_HWC = picture(160, 160)
    made = frames_of(image_HWC, Box(0, 0, 160, 160), Change(torch.full((1, 1, 3, 32, 32), 0.2)))
    assert (made - image_HWC).min() >= 25


@pytest.mark.parametrize(("height", "width"), [(240, 240), (200, 352), (352, 200)])
def test_a_large_frame_reduced_is_the_models_frame(height: int, width: int) -> None:
    image_HWC, side = picture(height, width), min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square_HWC = image_HWC[top : top + side, left : left + side]
    small_HWC = cv2.resize(square_HWC, (32, 32), interpolation=cv2.INTER_AREA)
    change = full_change()
    expected = to_bytes(apply_change(to_float(torch.from_numpy(small_HWC))[None], change)[0]).numpy().astype(int)
    made = frames_of(image_HWC, Box(left, top, left + side, top + side), change)[
        :, top : top + side, left : left + side
    ]
    reduced = np.stack([cv2.resize(f.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA) for f in made])
    inner = slice(3, -3)  # within what fades
    assert np.abs(reduced - expected)[:, inner, inner].mean() < 1


def test_a_warp_takes_the_pictures_own_pixels() -> None:
    """A flow of a tenth of the side to the right moves a fine texture that the model can't see, without blurring it."""
    texture = np.random.default_rng(0).integers(0, 256, (160, 160, 1), dtype=np.uint8).repeat(3, 2)
    flow = torch.zeros(1, 1, 2, 16, 16)
    flow[:, :, 0] = 0.2  # of half a side: 16 pixels of 160
    change = Change(torch.zeros(1, 1, 3, 16, 16), flow_BT2HW=flow, mask_BT1HW=torch.ones(1, 1, 1, 16, 16))
    (made,) = whole_frames(texture, Box(0, 0, 160, 160), [change])
    assert np.abs(made[:, :140].astype(int) - texture[:, 16:156]).max() <= 1


def test_a_box_smaller_than_the_model_is_changed_too() -> None:
    image_HWC = picture(20, 30)
    made = frames_of(image_HWC, Box(5, 0, 25, 20), full_change(64))
    assert (made[:, :, :5] == image_HWC[:, :5]).all()
    assert (made[:, :, 25:] == image_HWC[:, 25:]).all()
    assert np.abs(made - image_HWC).mean() > 2
