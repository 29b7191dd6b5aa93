"""The autocrop and the contact sheet, on constructed videos."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from s2v_ray.dataset.settings import clip_settings
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.media.encode import write_video
from s2v_ray.preparation.autocrop import find_crop, read_whole_frames, scan_motion
from s2v_ray.preparation.report.contact_sheet import CROP_COLOUR, draw_preview

FRAME_RATE, SAMPLE_RATE = Fraction(25), 8000
WIDTH, HEIGHT, SECONDS = 160, 96, 4
SETTINGS = clip_settings(
    clip_seconds=SECONDS, frame_rate=str(FRAME_RATE), sample_rate=SAMPLE_RATE, stored_size=36, crop="motion"
)
BEEPS_SECONDS = (0.4, 1.5, 1.9, 3.2)
OTHER_SECONDS = (0.9, 1.2, 2.4, 2.8, 3.6)


def jumping(seconds: tuple[float, ...], frames: int) -> np.ndarray:
    """How far a patch is moved at each frame: to and fro for a fifth of a second from each of `seconds` on."""
    shifts = np.zeros(frames, int)
    for moment in seconds:
        first = round(moment * FRAME_RATE)
        shifts[first : first + 5] = [4, 8, 4, 8, 0]
    return shifts


def patches_video(in_time_xy: tuple[int, int], out_of_time_xy: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Frames [T, H, W, 3] of two patches of 16 pixels, and beeps: the first moves in time with them."""
    count = int(SECONDS * FRAME_RATE)
    frames = np.full((count, HEIGHT, WIDTH, 3), 60, np.uint8)
    for (x, y), moments in ((in_time_xy, BEEPS_SECONDS), (out_of_time_xy, OTHER_SECONDS)):
        for t, shift in enumerate(jumping(moments, count)):
            frames[t, y : y + 16, x + shift : x + shift + 16] = 220
    return frames, beeps()


def beeps() -> np.ndarray:
    wave = np.zeros(SECONDS * SAMPLE_RATE, np.int16)
    for moment in BEEPS_SECONDS:
        first = round(moment * SAMPLE_RATE)
        wave[first : first + SAMPLE_RATE // 5] = 12000 * np.sin(np.arange(SAMPLE_RATE // 5) * 0.5)
    return wave


def crop_of(folder: Path, frames: np.ndarray, wave: np.ndarray) -> Crop | None:
    """Where the autocrop of these frames and sound lies, in their pixels."""
    write_video(folder / "video.mp4", frames, wave, frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE)
    with MediaFile(folder / "video.mp4") as media:
        return square_in(media, WIDTH, HEIGHT)


def square_in(media: MediaFile, width: int, height: int) -> Crop | None:
    scan = scan_motion(media, [Fraction(0)], width, height, SETTINGS)
    assert scan is not None
    return find_crop(scan.motion_2HW, width, height, SETTINGS)


@pytest.mark.parametrize(("near", "far"), [((12, 60), (124, 10)), ((124, 10), (12, 60)), ((100, 70), (10, 10))])
def test_the_square_lies_on_what_moves_with_the_sound(
    near: tuple[int, int], far: tuple[int, int], tmp_path: Path
) -> None:
    crop = crop_of(tmp_path, *patches_video(near, far))
    assert crop is not None
    assert 36 <= crop.size <= 0.6 * HEIGHT
    assert 0 <= crop.x <= WIDTH - crop.size
    assert 0 <= crop.y <= HEIGHT - crop.size
    assert crop.x <= near[0]
    assert near[0] + 24 <= crop.x + crop.size
    assert crop.y <= near[1]
    assert near[1] + 16 <= crop.y + crop.size
    overlaps_x = crop.x < far[0] + 24 and far[0] < crop.x + crop.size
    overlaps_y = crop.y < far[1] + 16 and far[1] < crop.y + crop.size
    assert not (overlaps_x and overlaps_y)


def test_nothing_that_moves_with_the_sound_gives_none(tmp_path: Path) -> None:
    frames, wave = patches_video((12, 60), (124, 10))
    still = np.repeat(frames[:1], len(frames), axis=0)
    assert crop_of(tmp_path, still, wave) is None
    assert crop_of(tmp_path, frames, np.zeros_like(wave)) is None


def test_motion_at_the_wrong_moments_gives_none(tmp_path: Path) -> None:
    frames, wave = patches_video((12, 60), (124, 10))
    other_patch_only = np.full_like(frames, 60)
    other_patch_only[:, :40, 110:] = frames[:, :40, 110:]
    assert crop_of(tmp_path, other_patch_only, wave) is None


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("preview") / "patches.mp4"
    frames, wave = patches_video((12, 60), (124, 10))
    write_video(path, frames.repeat(2, axis=1).repeat(2, axis=2), wave, frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE)
    return path


def test_whole_frames_are_those_shown_then(video: Path) -> None:
    frames, _ = patches_video((12, 60), (124, 10))
    with MediaFile(video) as media:
        read = read_whole_frames(media, Fraction(2), 20, FRAME_RATE, WIDTH, HEIGHT)
    assert read.shape == (20, HEIGHT, WIDTH, 3)
    assert np.abs(read.astype(int) - frames[50:70]).mean() < 3


def test_a_files_square_is_in_its_own_pixels(video: Path) -> None:
    with MediaFile(video) as media:
        crop = square_in(media, 2 * WIDTH, 2 * HEIGHT)
    assert crop is not None
    assert crop.x <= 24
    assert crop.x + crop.size >= 72
    assert crop.y <= 120
    assert 152 <= crop.y + crop.size <= 2 * HEIGHT
    assert crop.size < HEIGHT * 2


def crop_runs(row: np.ndarray) -> int:
    return int(np.count_nonzero(np.diff(row.astype(int), prepend=0) == 1))


def test_the_preview_shows_the_crop_on_every_frame(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    crop = Crop(80, 40, 120)
    with MediaFile(video) as media:
        warnings = draw_preview(
            media, out, source_name="patches.mp4", starts=[Fraction(1)], clip_seconds=Fraction(2), crop=crop
        )
    assert warnings == []
    pixels = np.asarray(Image.open(out).convert("RGB")).astype(int)
    colour = np.round(np.multiply(to_rgb(CROP_COLOUR), 255))
    is_crop = np.abs(pixels - colour).sum(-1) < 24
    sides = max(crop_runs(row) for row in is_crop[100:])
    assert sides == 2 * 8  # two upright sides on each of the eight frames that a wide picture has


def test_the_preview_warns_of_what_is_wrong(tmp_path: Path) -> None:
    still = np.full((50, 64, 64, 3), 90, np.uint8)
    path = tmp_path / "still.mp4"
    write_video(path, still, np.zeros(16000, np.int16), frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE)
    with MediaFile(path) as media:
        warnings = draw_preview(
            media, tmp_path / "still.png", source_name="still.mp4", starts=[], clip_seconds=Fraction(4)
        )
    assert warnings == ["The sound is silent.", "The picture is still.", "No windows would be cut."]


def test_sound_that_ends_early_is_a_warning(tmp_path: Path) -> None:
    frames, wave = patches_video((12, 60), (124, 10))
    path = tmp_path / "short.mp4"
    write_video(path, frames, wave[: 2 * SAMPLE_RATE], frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE)
    with MediaFile(path) as media:
        (warning,) = draw_preview(
            media, tmp_path / "short.png", source_name="short.mp4", starts=[Fraction(0)], clip_seconds=Fraction(2)
        )
    assert warning.startswith("The sound ends ")
