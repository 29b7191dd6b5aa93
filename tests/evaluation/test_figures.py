"""The figures' PNGs: the panels, borders and pixels that must be in them, and that files appear whole."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor
from torch import Tensor

from s2v_ray.dataset.reader import Clip
from s2v_ray.evaluation.controls import ClipVideos
from s2v_ray.evaluation.report.figures import GREEN, ORANGE, RED, figure_2, motion_curves

RATE = 3000
FPS = Fraction(30)
# 64 pixels doubled, and a border of 5 on either side.
PANEL = 138


def video(frames: int, seed: int = 0, size: int = 64) -> Tensor:
    return torch.rand(frames, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def clip_videos(real: Tensor, model: Tensor, mismatched: list[Tensor]) -> ClipVideos:
    wave = (26000 * np.sin(np.arange(len(real) * RATE // FPS) * 0.3)).astype(np.int16)
    clip = Clip("id", "source", 0.0, None, wave)  # type: ignore[arg-type]
    return ClipVideos(clip, real, model, mismatched, frame_rate=FPS, sample_rate=RATE)


def draw_figure_2(path: Path, frames: int, *, size: int = 64) -> np.ndarray:
    figure_2(path, clip_videos(video(frames, 3, size), video(frames, 1, size), []))
    return np.asarray(Image.open(path).convert("RGB"))


def panels(image: np.ndarray, colour: str, side: int = PANEL) -> list[tuple[int, int]]:
    """(top, left) of every square of `side` pixels with a border of exactly this colour."""
    match = (image == ImageColor.getrgb(colour)).all(-1)
    found = []
    for top, left in np.argwhere(match[: 1 - side, : 1 - side]):
        edges = match[top, left : left + side], match[top + side - 1, left : left + side]
        sides = match[top : top + side, left], match[top : top + side, left + side - 1]
        if all(line.all() for line in edges + sides):
            found.append((int(top), int(left)))
    return found


def test_figure_2_has_one_green_panel_and_six_of_each_video(tmp_path: Path) -> None:
    image = draw_figure_2(tmp_path / "figure_2.png", 120)
    green, orange, red = (panels(image, colour) for colour in (GREEN, ORANGE, RED))
    assert (len(green), len(orange), len(red)) == (1, 6, 6)
    # The original is right under what was generated, and the input image to the left of both.
    assert [left for _, left in orange] == [left for _, left in red]
    assert orange[0][0] + PANEL < red[0][0]
    assert green[0][1] + PANEL < orange[0][1]


def test_frames_are_shown_pixel_by_pixel(tmp_path: Path) -> None:
    image = draw_figure_2(tmp_path / "figure_2.png", 120)
    top, left = panels(image, ORANGE)[2]
    shown = image[top + 5 : top + 133, left + 5 : left + 133]
    # The third column is the middle of frames 40 .. 59.
    expected = (video(120, 1)[50].permute(1, 2, 0).numpy() + 1) / 2 * 255
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert np.abs(shown[row::2, column::2] - expected).max() <= 1


def test_columns_are_as_far_apart_as_their_times(tmp_path: Path) -> None:
    lefts = [left for _, left in panels(draw_figure_2(tmp_path / "a.png", 130), ORANGE)]
    # 130 frames, every 20th: 10, 30, ..., 110; equal steps to within the rounding to pixels.
    assert len(lefts) == 6
    assert max(np.diff(lefts)) - min(np.diff(lefts)) <= 1


@pytest.mark.parametrize(("frames", "columns"), [(1, 1), (8, 1), (31, 2), (260, 12)])
def test_short_and_long_videos_keep_every_panel_whole(tmp_path: Path, frames: int, columns: int) -> None:
    assert len(panels(draw_figure_2(tmp_path / "a.png", frames), RED)) == columns


def test_small_frames_are_enlarged_by_a_whole_factor(tmp_path: Path) -> None:
    assert len(panels(draw_figure_2(tmp_path / "a.png", 40, size=16), ORANGE, 16 * 8 + 10)) == 2


def test_the_same_input_gives_the_same_file(tmp_path: Path) -> None:
    draw_figure_2(tmp_path / "a.png", 40)
    draw_figure_2(tmp_path / "b.png", 40)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    taken = tmp_path / "figure_2.png"
    taken.mkdir()
    with pytest.raises(OSError, match=r"figure_2\.png"):
        draw_figure_2(taken, 20)
    assert list(tmp_path.iterdir()) == [taken]


@pytest.mark.parametrize("others", [0, 1, 2])
def test_motion_curves_draws_all_three_and_the_loudness(tmp_path: Path, others: int) -> None:
    frames = 60
    # Motion that differs from frame to frame, drawn at strengths that keep the curves apart.
    strength = torch.rand(frames, 1, 1, 1, generator=torch.Generator().manual_seed(9))
    real = video(frames, 1, 16) * strength
    path = tmp_path / "curves" / "motion.png"
    motion_curves(path, clip_videos(real, real * 0.6, [video(frames, 2, 16) * strength.flip(0) * 0.3] * others))
    assert list(path.parent.iterdir()) == [path]
    image = np.asarray(Image.open(path).convert("RGB"))
    for colour, least in (("#333333", 500), (ORANGE, 500), ("#4a6583", 20000)):
        assert (image == ImageColor.getrgb(colour)).all(-1).sum() > least, colour
    assert ((image == ImageColor.getrgb("#9aa3ad")).all(-1).sum() > 300) == (others > 0)
