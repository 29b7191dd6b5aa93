"""Registration: known shifts and rotations are found, whatever moves in the middle."""

import cv2
import numpy as np
import pytest

from s2v_ray.preparation.stabilise import (
    IDENTITY,
    compose,
    find_area,
    median_image,
    points_moved,
    register_frames,
    register_images,
    steadied,
    unrest,
    warp,
)

SIZE, CENTRE = 120, 59.5


def texture(seed: int = 0, size: int = SIZE) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip(128 + 45 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def rigid(degrees: float, x: float, y: float) -> np.ndarray:
    """Where a frame shows the reference's pixels: turned about the centre, then shifted."""
    M = cv2.getRotationMatrix2D((CENTRE, CENTRE), degrees, 1).astype(np.float32)
    M[:, 2] += (x, y)
    return M


def swaying(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Frames [T, H, W] that sway by some pixels and degrees, and where each shows the first one's pixels."""
    phase = np.arange(count) / count * 4 * np.pi
    moves = np.stack([rigid(1.2 * np.sin(p), 2.3 * np.sin(p), 1.7 * (1 - np.cos(p))) for p in phase])
    frames = [
        cv2.warpAffine(texture(), M, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT) for M in moves
    ]
    return np.stack(frames), moves


def outside_the_middle() -> np.ndarray:
    mask = np.full((SIZE, SIZE), 255, np.uint8)
    mask[40:80, 40:80] = 0
    return mask


def corner_errors(found_T23: np.ndarray, true_T23: np.ndarray) -> np.ndarray:
    """How far apart both place the corners of the middle, up to a shift of all frames (that of the reference)."""
    errors = []
    for x, y in ((30, 30), (90, 30), (30, 90), (90, 90)):
        difference = points_moved(found_T23, x, y) - points_moved(true_T23, x, y)
        errors.append(difference - difference.mean(axis=0))
    return np.abs(errors)


@pytest.mark.parametrize("middle", ["still", "blinks", "moves"])
def test_shifts_and_rotations_are_found_to_a_tenth_of_a_pixel_whatever_happens_in_the_middle(middle):
    frames, moves = swaying()
    for t, frame in enumerate(frames):
        if middle == "blinks" and t % 3 == 0:
            frame[48:72, 48:72] = 255
        if middle == "moves":  # up and down, in its own time
            y = 50 + round(8 * np.sin(t))
            frame[y : y + 16, 50:70] = 20
    found = register_frames(frames, outside_the_middle())
    assert found.lost == 0
    assert corner_errors(found.transforms_T23, moves).max() < 0.1
    assert unrest(warp(frames, found.transforms_T23), outside_the_middle()) < 0.3 * unrest(frames, outside_the_middle())


def test_frames_of_an_odd_size_are_found_as_exactly():
    still = texture(size=131)
    moves = np.stack([np.float32([[1, 0, shift], [0, 1, -shift]]) for shift in (0, 2, 4, 6, 8)])
    frames = np.stack([cv2.warpAffine(still, M, (131, 131), borderMode=cv2.BORDER_REFLECT) for M in moves])
    found = register_frames(frames, np.full((131, 131), 255, np.uint8), still).transforms_T23
    for corner in (0, 130):
        assert np.abs(points_moved(found, corner, corner) - points_moved(moves, corner, corner)).max() < 0.02


def test_blank_frames_are_lost_and_stay_where_the_one_before_was():
    frames, moves = swaying()
    frames[:2] = 0
    found = register_frames(frames, outside_the_middle())
    assert found.lost == 2
    assert found.found
    assert corner_errors(found.transforms_T23[2:], moves[2:]).max() < 0.1


def test_noise_is_not_found():
    random = np.random.default_rng(1)
    frames = random.integers(0, 256, (12, SIZE, SIZE)).astype(np.uint8)
    assert not register_frames(frames, outside_the_middle()).found


def test_a_take_is_found_at_another_place():
    true = rigid(2.0, 7.4, -5.3)
    other = cv2.warpAffine(texture(), true, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    M, correlation = register_images(texture(), other)
    assert correlation > 0.9
    for point in ((40, 40), (80, 80)):
        assert np.abs(points_moved(M[None], *point) - points_moved(true[None], *point)).max() < 0.1
    _, of_another = register_images(texture(), texture(seed=1))
    assert of_another < 0.5


def test_an_area_is_found_larger_elsewhere():
    area = texture()[30:90, 20:80]
    larger = cv2.resize(texture(), None, fx=1.3, fy=1.3, interpolation=cv2.INTER_CUBIC)
    M, correlation = find_area(np.ascontiguousarray(area), larger)
    assert correlation > 0.9
    assert M[:, :2] == pytest.approx(1.3 * np.eye(2), abs=0.01)
    # Pixel (30, 30) of the area is (50, 60) of the picture, whose centre (50.5, 60.5) lies at 1.3 times that.
    assert pytest.approx([1.3 * 50.5 - 0.5, 1.3 * 60.5 - 0.5], abs=0.1) == M @ [30, 30, 1]


def test_frames_that_shake_are_steadied_and_those_that_stand_stay_as_they_are():
    moves = np.stack([rigid(0, x, -x) for x in np.random.default_rng(2).normal(0, 2, 20)])
    shaking = np.stack([cv2.warpAffine(texture(), M, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT) for M in moves])
    rgb = np.repeat(shaking[..., None], 3, axis=3)
    assert unrest(steadied(rgb)[:, 10:-10, 10:-10, 0]) < 0.3 * unrest(shaking[:, 10:-10, 10:-10])
    blinking = np.repeat(texture()[None, ..., None], 20, axis=0).repeat(3, axis=3)
    blinking[::4, 50:70, 50:70] = 255
    assert steadied(blinking) is blinking


def test_transforms_are_applied_inner_first():
    turn, shift = rigid(90, 0, 0), np.float32([[1, 0, 5], [0, 1, 0]])
    assert compose(turn, IDENTITY) == pytest.approx(turn)
    # (59.5, 59.5) is shifted to (64.5, 59.5), and a quarter turn about the centre (y points down) takes it up.
    assert compose(turn, shift) @ [CENTRE, CENTRE, 1] == pytest.approx([CENTRE, CENTRE - 5], abs=1e-3)


def test_the_median_is_of_frames_spread_over_time():
    frames = np.full((60, 4, 4), 100, np.uint8)
    frames[:20] = 0
    assert (median_image(frames) == 100).all()
