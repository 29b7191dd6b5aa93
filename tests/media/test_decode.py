"""What windows show and sound like, against hand-made sources, the FFmpeg program and real files."""

import io
import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.decoding import FRAME_RATE, SAMPLE_RATE, ffmpeg, probe_path, window_of, windows_of
from helpers.videos import MEDIA, own, real
from PIL import Image

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop
from s2v_ray.media.decoding.timeline import frame_windows
from s2v_ray.media.decoding.windows import Window, decode_windows
from s2v_ray.media.encode import write_video

NTSC = Fraction(30000, 1001)
HALF_A_FRAME_SECONDS = 1 / 60
USUAL_RATES = [(Fraction(25), 22050), (NTSC, 48000), (Fraction(30), 44100), (Fraction(60), 22050)]


def onsets_seconds(loud: np.ndarray, rate: float) -> list[float]:
    """When `loud` becomes true after at least 0.3 s of not being so."""
    indices = np.flatnonzero(loud)
    firsts = indices[np.flatnonzero(np.diff(indices, prepend=-10 * rate) > 0.3 * rate)]
    return (firsts / rate).tolist()


def assert_flash_meets_beep(window: Window, event_seconds: list[float]) -> None:
    """The picture turns bright and the sound loud at `event_seconds`, to within half a frame."""
    flashes = onsets_seconds(window.frames_THWC.mean((1, 2, 3)) > 128, 30)
    beeps = onsets_seconds(np.abs(window.wave.astype(int)) > 3000, SAMPLE_RATE)
    expected = [event - float(window.start) for event in event_seconds]
    np.testing.assert_allclose(flashes, expected, atol=HALF_A_FRAME_SECONDS + 1e-6)
    np.testing.assert_allclose(beeps, expected, atol=0.004)  # AAC smears an attack over some milliseconds


@pytest.mark.parametrize(
    ("frame_rate", "sample_rate"),
    [
        pytest.param(*rates, marks=() if rates in USUAL_RATES else pytest.mark.slow)
        for rates in itertools.product((Fraction(25), NTSC, Fraction(30), Fraction(60)), (22050, 44100, 48000))
    ],
)
def test_flash_and_beep_coincide_in_our_own_files(tmp_path: Path, frame_rate: Fraction, sample_rate: int) -> None:
    event_frames = [round(second * frame_rate) for second in (1, 2, 3)]
    event_seconds = [float(frame / frame_rate) for frame in event_frames]
    wave = np.zeros(4 * sample_rate, np.int16)
    beep = (20000 * np.cos(2 * np.pi * 1000 * np.arange(sample_rate // 10) / sample_rate)).astype(np.int16)
    for second in event_seconds:
        first = round(second * sample_rate)
        wave[first : first + len(beep)] = beep
    lit = {event + n for event in event_frames for n in range(int(frame_rate / 10))}
    frames = (np.full((32, 32, 3), 230 if t in lit else 10, np.uint8) for t in range(int(4 * frame_rate)))
    path = tmp_path / "ours.mp4"
    write_video(path, frames, wave, frame_rate=frame_rate, sample_rate=sample_rate)

    first, second = windows_of(path, [Fraction(0), Fraction(4, 7)], frame_count=100)
    assert isinstance(first, Window)
    assert isinstance(second, Window)
    assert_flash_meets_beep(first, event_seconds)
    assert_flash_meets_beep(second, event_seconds)


@pytest.mark.parametrize(
    ("name", "frame_rate", "sample_rate", "codecs"),
    [
        ("a.mp4", "25", 22050, ("-c:v", "libx264", "-c:a", "aac")),
        ("b.mkv", "30000/1001", 48000, ("-c:v", "libx264", "-bf", "3", "-c:a", "libvorbis")),
        ("c.webm", "60", 48000, ("-c:v", "libvpx", "-c:a", "libopus")),
        ("d.ts", "30", 44100, ("-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2")),
        ("e.avi", "25", 8000, ("-c:v", "mjpeg", "-c:a", "pcm_s16le")),
    ],
)
def test_flash_and_beep_coincide_in_files_by_ffmpeg(
    tmp_path: Path, name: str, frame_rate: str, sample_rate: int, codecs: tuple[str, ...]
) -> None:
    path = tmp_path / name
    # A tenth of a second of light and of tone at each whole second but the first.
    on = "gte(T\\,1)*lt(mod(T+0.0001\\,1)\\,0.1)"
    picture = f"color=black:s=64x64:r={frame_rate}:d=4,geq=lum='16+200*{on}':cb=128:cr=128"
    tone = f"aevalsrc='0.6*cos(2*PI*1000*t)*gte(t,1)*lt(mod(t,1),0.1)':s={sample_rate}:d=4"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, *codecs, str(path))
    # At 30000/1001 the first frame after each second is up to one of its frames late.
    rate = Fraction(frame_rate)
    lit_seconds = [float(-((-second * rate) // 1) / rate) for second in (1, 2, 3)]

    window = window_of(path, Fraction(1, 10), frame_count=110)

    flashes = onsets_seconds(window.frames_THWC.mean((1, 2, 3)) > 128, 30)
    beeps = onsets_seconds(np.abs(window.wave.astype(int)) > 3000, SAMPLE_RATE)
    late = float(probe_path(path).picture_start)  # of the container's start, which may be the sound's
    np.testing.assert_allclose(
        flashes, [second + late - 0.1 for second in lit_seconds], atol=HALF_A_FRAME_SECONDS + 0.001
    )
    assert beeps == pytest.approx([second + late - 0.1 for second in (1, 2, 3)], abs=HALF_A_FRAME_SECONDS)


@pytest.mark.parametrize(("path", "seconds"), [own("each_second.mp4", 9), real("formats/gradio-app_av1-video.mp4", 14)])
def test_a_beep_each_second(path: Path, seconds: int) -> None:
    """The pattern is whitest at each odd second; its sound is 1024 samples of 32 kHz late in the file itself."""
    window = window_of(path, Fraction(0), frame_count=30 * seconds)
    beeps = onsets_seconds(np.abs(window.wave.astype(int)) > 1500, SAMPLE_RATE)
    np.testing.assert_allclose(beeps, np.arange(seconds) + 1024 / 32000, atol=0.002)
    brightness = window.frames_THWC.mean((1, 2, 3))
    for second in range(1, seconds, 2):
        first = 30 * second - 15
        whitest = (first + int(brightness[first : first + 30].argmax()) + 0.5) / 30
        assert whitest == pytest.approx(second, abs=1 / 25 + 1 / 60)  # the file has 25 frames a second


@pytest.mark.parametrize(
    "path",
    [
        own("demo.mp4"),
        own("demo.flv"),
        own("demo.wmv"),
        own("demo.rm"),
        own("demo.3gp"),
        own("late_sound.asf"),
        own("late_picture.mp4"),
        own("edit_list.mp4"),
        own("fragmented.mp4"),
        own("each_second.mp4"),
        own("sideways.mov"),
        own("mirrored.mp4"),
        own("wide_pixels.mpg"),
        own("full_range.mov"),
        own("ten_bits.mkv"),
        own("varying_rate.mp4"),
        real("formats/iscc_demo.mp4"),
        real("formats/iscc_demo.flv"),
        real("formats/iscc_demo.wmv"),
        real("formats/iscc_demo.rm"),
        real("formats/PHP-FFMpeg_sample.3gp"),
        real("formats/apache_testASF.asf"),
        real("formats/brion_llama-drama-av1.webm"),
        real("formats/streamio_sideways_movie.mov"),
        real("formats/streamio_weird_aspect.small.mpg"),
        real("formats/androidx_sample_rotate_and_reflect.mp4"),
        real("formats/androidx_sample_with_increasing_timestamps_320w_240h.mp4"),
        real("formats/Zulko_fire2.mp4"),
    ],
)
def test_frames_are_those_that_the_ffmpeg_program_shows(path: Path, tmp_path: Path) -> None:
    """Upright, square and in time: rotation, reflection, pixel aspect, variable rates, full range, offsets."""
    size, frame_count = 24, 24
    with MediaFile(path) as media:
        chosen = f"0:{media.video().stream.index}"
        (ours,) = frame_windows(media, [Fraction(0)], frame_count=frame_count, frame_rate=FRAME_RATE, size=size)
    assert isinstance(ours, np.ndarray)

    square = f"format=rgb24,scale=trunc(iw*sar+.5):ih,crop='min(iw,ih)':'min(iw,ih)',scale={size}:{size}"
    how = ("-t", "2", "-vf", square, "-fps_mode", "passthrough", "-enc_time_base", "1:90000")
    source = ("-i", str(path), "-map", chosen)
    stamps = ffmpeg(*source, *how, "-f", "framemd5", "-").decode().splitlines()
    times = [int(line.split(",")[2]) / 90000 for line in stamps if not line.startswith("#")]
    ffmpeg(*source, *how, "-f", "rawvideo", str(tmp_path / "frames"))
    theirs = np.fromfile(tmp_path / "frames", np.uint8).reshape(-1, size, size, 3)
    middles = (np.arange(frame_count) + 0.5) / 30
    shown = np.clip(np.searchsorted(times, middles, side="right") - 1, 0, None)
    difference = np.abs(theirs[shown].astype(int) - ours.astype(int)).mean((1, 2, 3))
    # Two scalings in a row against one; a wrong frame, turn or colour matrix differs by far more.
    assert difference.max() < 5


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_frames_that_hold_exif_are_decoded(tmp_path: Path, orientation: int) -> None:
    """FFmpeg passes EXIF on as side data of a kind that PyAV does not know."""
    pixels = np.zeros((48, 48, 3), np.uint8)
    pixels[:24] = (220, 30, 20)
    exif = Image.Exif()
    exif[0x0131], exif[0x0112] = "a camera", orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=exif, subsampling=0, quality=95)
    path = tmp_path / "exif.avi"
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuvj444p"
        for number in range(6):
            packet = av.Packet(file.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 30)
            made.mux(packet)
    with MediaFile(path) as media:
        (frames,) = frame_windows(media, [Fraction(0)], frame_count=3, frame_rate=FRAME_RATE, size=48)
    assert isinstance(frames, np.ndarray)
    # As a viewer shows it, or as it is stored: FFmpeg's versions differ in whether a JPEG in a video turns.
    red = np.abs(frames[0].astype(int) - (220, 30, 20)).max(2) < 40
    halves = [red[:20].all(), red[28:].all(), red[:, :20].all(), red[:, 28:].all()]
    assert sum(halves) == 1


def test_a_crop_is_cut_from_the_upright_picture(tmp_path: Path) -> None:
    """A picture of four colours, stored turned by a quarter and with pixels twice as wide as high."""
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    quarters = "geq=r='255*lt(X,32)':g='255*lt(Y,64)':b='0'"
    source = ("-f", "lavfi", "-i", f"color=s=64x128:d=1:r=30,format=rgb24,{quarters},setsar=2", "-f", "lavfi")
    ffmpeg(*source, "-i", "sine=d=1", "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p", "-shortest", str(plain))
    ffmpeg("-display_rotation", "90", "-i", str(plain), "-c", "copy", str(turned))

    def colours(path: Path, crop: Crop | None) -> list[list[int]]:
        (window,) = windows_of(path, [Fraction(0)], frame_count=3, size=16, crop=crop)
        assert isinstance(window, Window)
        corners_HWC = window.frames_THWC[0][[0, 0, -1, -1], [0, -1, 0, -1]]
        return (corners_HWC > 128).astype(int).tolist()

    yellow, green, red, black = [1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]
    assert colours(plain, None) == [yellow, green, red, black]
    assert colours(plain, Crop(0, 0, 40)) == [yellow] * 4
    assert colours(plain, Crop(80, 0, 40)) == [green] * 4
    assert colours(plain, Crop(10, 80, 48)) == [red] * 4
    # Turned left, the upper right corner becomes the upper left one.
    assert colours(turned, None) == [green, black, yellow, red]
    assert colours(turned, Crop(0, 0, 40)) == [green] * 4
    assert colours(turned, Crop(80, 80, 48)) == [red] * 4
    for crop in (Crop(100, 0, 40), Crop(-1, 0, 40), Crop(0, 0, 129)):
        with pytest.raises(MediaError, match="--crop") as caught:
            colours(plain, crop)
        assert caught.value.code == "crop_outside"


def test_a_large_reduction_is_antialiased(tmp_path: Path) -> None:
    """One-pixel stripes become even gray, not a moiré."""
    path = tmp_path / "stripes.mkv"
    stripes = "nullsrc=s=720x720:r=30:d=1,geq=lum='255*mod(X,2)':cb=128:cr=128,format=gray"
    tone = ("-f", "lavfi", "-i", "sine=d=1")
    ffmpeg("-f", "lavfi", "-i", stripes, *tone, "-c:v", "ffv1", "-c:a", "pcm_s16le", str(path))
    frames = window_of(path, Fraction(0), frame_count=20, size=71).frames_THWC.astype(int)
    assert abs(frames - 127).max() < 16  # the outermost pixels see half a stripe


@pytest.mark.parametrize("colour_range", ["tv", "pc"])
@pytest.mark.parametrize("matrix", ["bt709", "bt470bg"])
def test_colour_matrix_and_range_are_honoured(tmp_path: Path, matrix: str, colour_range: str) -> None:
    path = tmp_path / "colour.mkv"
    filters = f"scale=out_color_matrix={matrix}:out_range={colour_range},format=yuv444p"
    source = ("-f", "lavfi", "-i", "color=0xC81E5A:s=64x64:d=1,format=rgb24", "-f", "lavfi", "-i", "sine=d=1")
    tags = ("-colorspace", matrix, "-color_range", colour_range)
    ffmpeg(*source, "-vf", filters, "-c:v", "libx264", "-qp", "0", *tags, "-c:a", "pcm_s16le", str(path))
    frames = window_of(path, Fraction(0), frame_count=20).frames_THWC
    np.testing.assert_allclose(frames.mean((0, 1, 2)), [0xC8, 0x1E, 0x5A], atol=2)


def test_rates_that_do_not_divide_are_refused() -> None:
    windows = decode_windows(
        MediaFile(MEDIA / "demo.mp4"),
        [Fraction(0)],
        frame_count=3,
        frame_rate=FRAME_RATE,
        sample_rate=44000,
        size=8,
    )
    with pytest.raises(UserError, match="44000") as caught:
        next(windows)
    assert caught.value.code == "rates_not_divisible"
