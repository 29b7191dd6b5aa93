"""Pictures as they are given: whole, upright, over a background, of any size, and frames of videos."""

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from helpers.heif import write_tiled
from PIL import Image

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.encode import write_video
from s2v_ray.media.image import MAX_PIXELS, read_picture

RED, GREEN, BLUE, YELLOW = (200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)


def quarters(height: int, width: int) -> np.ndarray:
    """Red and green above blue and yellow."""
    picture_HWC = np.zeros((height, width, 3), np.uint8)
    picture_HWC[: height // 2, : width // 2], picture_HWC[: height // 2, width // 2 :] = RED, GREEN
    picture_HWC[height // 2 :, : width // 2], picture_HWC[height // 2 :, width // 2 :] = BLUE, YELLOW
    return picture_HWC


def assert_quarters(picture_HWC: np.ndarray, height: int, width: int, tolerance: int = 6) -> None:
    assert picture_HWC.dtype == np.uint8
    assert picture_HWC.shape == (height, width, 3)
    found = [picture_HWC[y, x] for y in (height // 4, -height // 4) for x in (width // 4, -width // 4)]
    np.testing.assert_allclose(found, (RED, GREEN, BLUE, YELLOW), atol=tolerance)


def refusal(path: Path, **options: object) -> UserError:
    with pytest.raises(UserError) as caught:
        read_picture(path, **options)
    return caught.value


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.heic", "a.avif", "a.webp", "a.tiff", "a.bmp", "a.jp2", "a.qoi"])
def test_the_whole_picture_is_read(tmp_path: Path, name: str) -> None:
    Image.fromarray(quarters(96, 160)).save(tmp_path / name)
    assert_quarters(read_picture(tmp_path / name), 96, 160)


@pytest.mark.parametrize("file_format", ["HEIF", "AVIF"])
def test_tiles_are_put_together(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "phone"
    write_tiled(path, quarters(128, 192), 64, file_format)
    assert_quarters(read_picture(path), 128, 192)


@pytest.mark.parametrize("file_format", ["HEIF", "AVIF"])
def test_a_damaged_picture_is_not_read_as_a_video_of_one_tile(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "phone.mp4"
    write_tiled(path, quarters(128, 192), 64, file_format)
    path.write_bytes(path.read_bytes().replace(b"dimg", b"dimx"))  # no longer known which tiles it consists of
    assert refusal(path).code in ("unreadable_image", "no_video")


@pytest.mark.parametrize(
    "name", ["a.heic", "a.avif", "moving.avif", "a.png", "moving.gif", "moving.webp", "moving.png"]
)
def test_pictures_are_no_videos(tmp_path: Path, name: str) -> None:
    picture = Image.fromarray(quarters(64, 64))
    others = {"save_all": True, "append_images": [picture.rotate(90)] * 3} if name.startswith("moving") else {}
    picture.save(tmp_path / name, **others)
    assert_quarters(read_picture(tmp_path / name), 64, 64, tolerance=16)
    if name == "moving.avif":  # its second track is a video, of the same first picture
        return
    with MediaFile(tmp_path / name) as media, pytest.raises(MediaError) as caught:
        media.video()
    assert caught.value.code in ("no_video", "unreadable")


def test_orientation_is_that_of_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8  # to be turned a quarter to the left
    turned = Image.fromarray(quarters(64, 96)).transpose(Image.Transpose.ROTATE_270)
    for name in ("a.jpg", "a.png", "a.webp", "a.avif"):  # the last one takes the orientation out of exif
        turned.save(tmp_path / name, exif=exif)
        assert_quarters(read_picture(tmp_path / name), 64, 96)


def test_a_damaged_exif_is_ignored(tmp_path: Path) -> None:
    Image.fromarray(quarters(64, 96)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xffxx")
    assert_quarters(read_picture(tmp_path / "a.jpg"), 64, 96)


@pytest.mark.parametrize(
    ("background", "colour"), [("white", 255), ("black", 0), ("#646464", 100), ("rgb(100, 100, 100)", 100)]
)
def test_transparency_lies_on_the_background(tmp_path: Path, background: str, colour: int) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 51)).save(tmp_path / "a.png")  # a fifth of it is black
    np.testing.assert_allclose(read_picture(tmp_path / "a.png", background=background), colour * 0.8, atol=1)
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "opaque.png")
    assert (read_picture(tmp_path / "opaque.png", background=background) == (1, 2, 3)).all()


@pytest.mark.parametrize("background", ["", "whit", "#12", "#ffffff80", "7", "transparent"])
def test_a_background_that_is_no_colour_is_refused(tmp_path: Path, background: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    error = refusal(tmp_path / "a.png", background=background)
    assert (error.code, f"'{background}'" in error.message) == ("wrong_background", True)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 2 s at 25 fps, of which frame t has the grey 5 · t."""
    path = tmp_path_factory.mktemp("steps") / "steps.mp4"
    frames = (np.full((48, 64, 3), 5 * t, np.uint8) for t in range(50))
    write_video(path, frames, np.zeros(2 * 8000, np.int16), frame_rate=Fraction(25), sample_rate=8000)
    return path


@pytest.mark.parametrize(("seconds", "frame"), [(0, 0), (0.039, 0), (0.04, 1), (0.1, 2), (1.3, 32), (1.999, 49)])
def test_a_video_gives_the_frame_displayed_then(steps: Path, seconds: float, frame: int) -> None:
    picture_HWC = read_picture(steps, image_seconds=seconds)
    assert picture_HWC.shape == (48, 64, 3)
    np.testing.assert_allclose(picture_HWC.mean(), 5 * frame, atol=2)


@pytest.mark.parametrize("seconds", [2.0, 2.2, 1000])
def test_a_time_after_the_end_is_refused_with_the_length(steps: Path, seconds: float) -> None:
    error = refusal(steps, image_seconds=seconds)
    assert error.code == "image_time_outside"
    assert "2.00 s" in error.message


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(steps: Path, seconds: float) -> None:
    assert refusal(steps, image_seconds=seconds).code == "image_time_outside"


def test_a_still_picture_has_no_times(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    error = refusal(tmp_path / "a.png", image_seconds=0.5)
    assert (error.code, "still picture" in error.message) == ("image_time_outside", True)


def test_a_frame_has_its_displayed_size(tmp_path: Path) -> None:
    Image.fromarray(quarters(64, 96)).save(tmp_path / "a.png")
    still = ("-loop", "1", "-t", "1", "-i", str(tmp_path / "a.png"), "-pix_fmt", "yuv444p")
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    subprocess.run([*ffmpeg, *still, "-vf", "setsar=3/2", str(tmp_path / "wide.mp4")], check=True)
    assert_quarters(read_picture(tmp_path / "wide.mp4"), 64, 144)
    turn = ("-display_rotation", "180", "-i", str(tmp_path / "wide.mp4"), "-c", "copy")
    subprocess.run([*ffmpeg, *turn, str(tmp_path / "turned.mp4")], check=True)
    assert_quarters(read_picture(tmp_path / "turned.mp4")[::-1, ::-1], 64, 144)
    turn = ("-display_rotation", "90", "-i", str(tmp_path / "wide.mp4"), "-c", "copy")
    subprocess.run([*ffmpeg, *turn, str(tmp_path / "turned.mp4")], check=True)
    assert_quarters(np.rot90(read_picture(tmp_path / "turned.mp4"), -1), 64, 144)


@pytest.mark.filterwarnings("error")
def test_a_large_jpeg_is_reduced_while_it_is_read(tmp_path: Path) -> None:
    picture = Image.fromarray(quarters(100, 140)).resize((14000, 10000), Image.Resampling.NEAREST)
    picture.save(tmp_path / "a.jpg")
    assert picture.width * picture.height > MAX_PIXELS
    assert_quarters(read_picture(tmp_path / "a.jpg", may_reduce=True), 5000, 7000)
    # Otherwise a square in the image's own pixels would be looked for in a smaller one.
    assert refusal(tmp_path / "a.jpg").code == "too_large"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("options", [{"name": "a.png"}, {"name": "a.tiff"}, {"name": "a.jpg", "progressive": True}])
def test_other_pictures_above_the_limit_are_refused_in_our_own_words(tmp_path: Path, options: dict) -> None:
    path = tmp_path / options.pop("name")
    Image.new("L", (19000, 10000)).save(path, **options)  # above both limits of Pillow
    error = refusal(path, may_reduce=True)
    assert error.code == "too_large"
    assert "19000 x 10000" in error.message
    assert "bomb" not in error.message


def test_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).code == "unreadable_image"
    assert refusal(Path("/dev/null")).code == "unreadable_image"


def test_half_a_tiled_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "phone.heic"
    noise = np.random.default_rng(0).integers(0, 255, (128, 192, 3), np.uint8)
    write_tiled(path, noise, 64, "HEIF")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refusal(path).code == "unreadable_image"
