"""What write_video writes, read back by the independent FFmpeg program."""

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from s2v_ray.errors import UserError
from s2v_ray.media.encode import write_video

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
NTSC = Fraction(30000, 1001)


def ffmpeg(*arguments: str) -> bytes:
    return subprocess.run([FFMPEG, "-v", "error", *arguments, "-"], capture_output=True, check=True).stdout


def sound_of(path: Path) -> np.ndarray:
    return np.frombuffer(ffmpeg("-i", str(path), "-vn", "-f", "s16le"), np.int16)


def stamps_of(path: Path) -> tuple[Fraction, list[int]]:
    """(time base, presentation times in it) of the picture's frames."""
    passthrough = ("-fps_mode", "passthrough", "-enc_time_base", "demux")
    lines = ffmpeg("-i", str(path), "-an", *passthrough, "-f", "framemd5").decode().splitlines()
    time_base = next(line.split()[-1] for line in lines if line.startswith("#tb"))
    return Fraction(time_base), [int(line.split(",")[2]) for line in lines if not line.startswith("#")]


def plain_frames(count: int, size: int = 32) -> Iterator[np.ndarray]:
    return (np.full((size, size, 3), (7 * t) % 256, np.uint8) for t in range(count))


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("frame_rate", [Fraction(25), NTSC, Fraction(60)])
def test_clicks_and_frames_are_found_where_they_were_put(
    tmp_path: Path, frame_rate: Fraction, sample_rate: int
) -> None:
    path = tmp_path / "clicks.mp4"
    wave = np.zeros(3 * sample_rate + 123, np.int16)
    clicks = [0, sample_rate // 3, sample_rate, 2 * sample_rate + 777]
    wave[clicks] = 30000
    frame_count = int(3 * frame_rate)

    write_video(path, plain_frames(frame_count), wave, frame_rate=frame_rate, sample_rate=sample_rate)

    heard = np.abs(sound_of(path).astype(int))
    millisecond = sample_rate // 1000
    assert len(heard) == len(wave)
    for click in clicks:
        around = heard[max(0, click - 100) : click + 100]
        assert abs(max(0, click - 100) + int(around.argmax()) - click) <= millisecond
    time_base, stamps = stamps_of(path)
    assert [stamp * time_base for stamp in stamps] == [t / frame_rate for t in range(frame_count)]


def test_ten_minutes_do_not_drift(tmp_path: Path) -> None:
    path, sample_rate = tmp_path / "long.mp4", 8000
    wave = np.zeros(600 * sample_rate, np.int16)
    clicks = np.arange(0, 600, 60) * sample_rate + 1234
    wave[clicks] = 30000

    write_video(path, plain_frames(int(600 * NTSC), size=16), wave, frame_rate=NTSC, sample_rate=sample_rate)

    heard = np.abs(sound_of(path).astype(int))
    assert [int(heard[click - 50 : click + 50].argmax()) - 50 for click in clicks] == [0] * len(clicks)
    time_base, stamps = stamps_of(path)
    assert len(stamps) == 17982
    assert stamps[-1] * time_base == 17981 / NTSC


def test_colours_come_back(tmp_path: Path) -> None:
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 40, 90)], np.uint8)
    path = tmp_path / "colours.mp4"
    frames = (np.broadcast_to(colour, (32, 32, 3)) for colour in colours)
    write_video(path, frames, np.zeros(8000, np.int16), frame_rate=Fraction(30), sample_rate=8000)

    picture = ffmpeg("-i", str(path), "-an", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24")
    seen = np.frombuffer(picture, np.uint8).reshape(len(colours), 32, 32, 3).mean((1, 2))
    np.testing.assert_allclose(seen, colours, atol=2)


def test_it_can_be_played_while_it_loads(tmp_path: Path) -> None:
    path = tmp_path / "fast.mp4"
    write_video(path, plain_frames(30), np.zeros(8000, np.int16), frame_rate=Fraction(30), sample_rate=8000)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_nothing_is_left_after_an_interruption(tmp_path: Path) -> None:
    def interrupted() -> Iterator[np.ndarray]:
        yield from plain_frames(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(
            tmp_path / "x.mp4", interrupted(), np.zeros(8000, np.int16), frame_rate=Fraction(30), sample_rate=8000
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "wave", "sample_rate", "code", "value"),
    [
        ([], np.zeros(8, np.int16), 8000, "no_frames", "frames"),
        ([np.zeros((33, 33, 3), np.uint8)], np.zeros(8, np.int16), 8000, "wrong_shape", "33 x 33"),
        ([np.zeros((32, 32, 3), np.float32)], np.zeros(8, np.int16), 8000, "wrong_shape", "float32"),
        (
            [np.zeros((32, 32, 3), np.uint8), np.zeros((16, 16, 3), np.uint8)],
            np.zeros(8, np.int16),
            8000,
            "wrong_shape",
            r"\[16, 16, 3\]",
        ),
        ([np.zeros((32, 32, 3), np.uint8)], np.zeros(8, np.float32), 8000, "wrong_shape", "float32"),
        ([np.zeros((32, 32, 3), np.uint8)], np.zeros(8, np.int16), 44000, "unknown_sample_rate", "44000"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, frames: list[np.ndarray], wave: np.ndarray, sample_rate: int, code: str, value: str
) -> None:
    with pytest.raises(UserError, match=value) as caught:
        write_video(tmp_path / "x.mp4", frames, wave, frame_rate=Fraction(30), sample_rate=sample_rate)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []
