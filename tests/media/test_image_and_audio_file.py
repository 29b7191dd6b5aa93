"""Images and sounds of every kind that a user may pass."""

import subprocess
import tracemalloc
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from helpers.decoding import read_sound
from PIL import Image, ImageOps

from s2v_ray.errors import UserError
from s2v_ray.media.audio_file import count_samples, sound_blocks
from s2v_ray.media.image import read_picture


def ffmpeg(*arguments: str) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments], check=True)


@pytest.fixture
def halves() -> np.ndarray:
    """48 high and 96 wide: a quarter red, the central square green above and blue below, a quarter red."""
    image_HWC = np.zeros((48, 96, 3), np.uint8)
    image_HWC[:, :, 0] = 200
    image_HWC[:24, 24:72] = (0, 200, 0)
    image_HWC[24:, 24:72] = (0, 0, 200)
    return image_HWC


def small_square(path: Path, size: int) -> np.ndarray:
    """The central square of a picture, uint8 [size, size, 3]."""
    return np.asarray(ImageOps.fit(Image.fromarray(read_picture(path)), (size, size)))


def assert_green_above_blue(image_HWC: np.ndarray, tolerance: int = 3) -> None:
    assert image_HWC.dtype == np.uint8
    assert image_HWC.shape == (16, 16, 3)
    np.testing.assert_allclose(image_HWC[:6].mean((0, 1)), (0, 200, 0), atol=tolerance)
    np.testing.assert_allclose(image_HWC[-6:].mean((0, 1)), (0, 0, 200), atol=tolerance)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.webp", "a.tiff", "a.gif"])
def test_the_central_square_is_taken(tmp_path: Path, halves: np.ndarray, name: str) -> None:
    Image.fromarray(halves).save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    assert_green_above_blue(small_square(tmp_path / name, 16))


def test_exif_orientation_is_applied(tmp_path: Path, halves: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored picture must be turned a quarter to the right
    stored = Image.fromarray(halves).transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "turned.png", exif=exif)
    assert_green_above_blue(small_square(tmp_path / "turned.png", 16))


def test_palettes_cmyk_and_animations(tmp_path: Path, halves: np.ndarray) -> None:
    image = Image.fromarray(halves)
    image.quantize(8).save(tmp_path / "palette.png")
    image.convert("CMYK").save(tmp_path / "cmyk.tiff")
    other = Image.new("RGB", image.size, "yellow")
    image.save(tmp_path / "moving.webp", save_all=True, append_images=[other], lossless=True)
    for name in ("palette.png", "cmyk.tiff", "moving.webp"):
        assert_green_above_blue(small_square(tmp_path / name, 16))


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 128)).save(tmp_path / "half.png")
    assert small_square(tmp_path / "half.png", 4).tolist() == [[[127] * 3] * 4] * 4


def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 20), 257 * 100, np.uint16)).save(tmp_path / "deep.png")
    assert small_square(tmp_path / "deep.png", 4).tolist() == [[[100] * 3] * 4] * 4


def test_a_video_gives_its_first_frame(tmp_path: Path, halves: np.ndarray) -> None:
    Image.fromarray(halves).save(tmp_path / "first.png")
    still = ("-loop", "1", "-t", "1", "-i", str(tmp_path / "first.png"))
    ffmpeg(*still, "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p", str(tmp_path / "v.mp4"))
    assert_green_above_blue(small_square(tmp_path / "v.mp4", 16), tolerance=6)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture\n" * 50)
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", str(tmp_path / "tone.wav"))
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(tmp_path / "float.tiff")
    cut = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    for name, code in [
        ("none.png", "not_found"),
        ("text.png", "unreadable_image"),
        ("tone.wav", "no_video"),
        ("float.tiff", "unreadable_image"),
        ("cut.png", "unreadable_image"),
    ]:
        with pytest.raises(UserError) as caught:
            read_picture(tmp_path / name)
        assert caught.value.code == code


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("name", ["clicks.wav", "clicks.flac", "clicks.m4a"])
def test_a_click_is_heard_when_it_was_made(tmp_path: Path, name: str, sample_rate: int) -> None:
    click = "aevalsrc='0.9*between(t,1.5,1.5002)':s=48000:d=3"
    ffmpeg("-f", "lavfi", "-i", click, str(tmp_path / name))
    wave = read_sound(tmp_path / name, sample_rate)
    assert wave.dtype == np.int16
    assert len(wave) == pytest.approx(3 * sample_rate, abs=sample_rate / 40)
    assert abs(int(np.abs(wave.astype(int)).argmax()) / sample_rate - 1.5001) < 0.0005


def test_channels_are_averaged(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "aevalsrc='0.5|0.1':s=8000:d=1", str(tmp_path / "stereo.wav"))
    wave = read_sound(tmp_path / "stereo.wav", 8000)
    np.testing.assert_allclose(wave, 0.3 * 32768, atol=2)


def test_sound_that_starts_late_begins_with_silence(tmp_path: Path) -> None:
    picture = ("-f", "lavfi", "-i", "color=red:s=32x32:r=25:d=2")
    late = ("-itsoffset", "0.7", "-f", "lavfi", "-i", "sine=d=1:r=8000")
    ffmpeg(*picture, *late, "-c:v", "libx264", "-c:a", "pcm_s16le", str(tmp_path / "late.mkv"))
    wave = read_sound(tmp_path / "late.mkv", 8000)
    assert len(wave) == pytest.approx(1.7 * 8000, abs=8)
    assert not wave[:5590].any()
    assert wave[5610:5700].any()


def test_a_gap_in_the_sound_is_silence(tmp_path: Path) -> None:
    hole = "aevalsrc=0.5:s=8000:d=3,aselect='lt(t,1)+gte(t,2)'"
    ffmpeg("-f", "lavfi", "-i", hole, "-c:a", "pcm_s16le", str(tmp_path / "hole.mkv"))
    wave = read_sound(tmp_path / "hole.mkv", 8000)
    loud = np.flatnonzero(np.abs(wave.astype(int)) > 1000)
    assert len(wave) == pytest.approx(24000, abs=16)
    assert np.diff(loud).max() == pytest.approx(8000, abs=1100)  # FFmpeg drops whole packets of 1024 samples


@pytest.mark.parametrize("block_seconds", [0.0005, 0.3, 100])
@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_blocks_are_the_whole_sound(tmp_path: Path, codec: str, block_seconds: float) -> None:
    """Of a sound that starts 0.7 s after the picture and has a second's hole."""
    hole = ("-itsoffset", "0.7", "-f", "lavfi", "-i", "aevalsrc=random(0)-0.5:s=8000:d=3,aselect='lt(t,1)+gte(t,2)'")
    picture = ("-f", "lavfi", "-i", "color=red:s=32x32:r=25:d=2")
    ffmpeg(*picture, *hole, "-c:v", "libx264", "-c:a", codec, str(tmp_path / "hole.mkv"))
    wave = read_sound(tmp_path / "hole.mkv", 44100)
    blocks = list(sound_blocks(tmp_path / "hole.mkv", 44100, block_seconds=block_seconds))
    assert len(wave) == count_samples(tmp_path / "hole.mkv", 44100) == pytest.approx(3.7 * 44100, abs=44100 / 7)
    assert {len(block) for block in blocks[:-1]} <= {round(block_seconds * 44100)}
    assert 0 < len(blocks[-1]) <= round(block_seconds * 44100)
    np.testing.assert_array_equal(np.concatenate(blocks), wave)


def test_blocks_of_a_long_sound_take_little_memory(tmp_path: Path) -> None:
    """Five minutes at 44.1 kHz are 26 MB of samples; ten seconds are 0.9."""
    ffmpeg("-f", "lavfi", "-i", "sine=d=300:r=44100", str(tmp_path / "long.wav"))
    count = count_samples(tmp_path / "long.wav", 44100)
    tracemalloc.start()
    total = sum(len(block) for block in sound_blocks(tmp_path / "long.wav", 44100, sample_count=count))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == count == 300 * 44100
    assert peak_bytes < 5e6


def test_what_has_no_sound_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        sound_blocks(tmp_path / "none.wav", 8000)
    assert caught.value.code == "not_found"


def test_what_has_no_sound_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "picture.png")
    (tmp_path / "text.wav").write_text("no sound\n" * 50)
    for name, code in [("none.wav", "not_found"), ("picture.png", "unreadable"), ("text.wav", "unreadable")]:
        with pytest.raises(UserError, match=name) as caught:
            read_sound(tmp_path / name, 8000)
        assert caught.value.code == code
