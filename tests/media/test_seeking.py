"""A window is the same whatever of its file was decoded before it, and no more is decoded than it needs."""

import gc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from helpers.decoding import FRAME_RATE, SAMPLE_RATE, ffmpeg, probe_path, window_of, windows_of
from helpers.videos import own, real

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.audio import mono_pieces, sound_windows
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.packets import decode_frames
from s2v_ray.media.decoding.seeking import Cue
from s2v_ray.media.decoding.timeline import frame_windows
from s2v_ray.media.decoding.windows import Window


def assert_same_amid_others(path: Path, starts: list[Fraction], begin: Fraction, end: Fraction, size: int) -> None:
    """Windows of 9 frames are what they are among so many others, from `begin` to `end`, that everything is decoded."""

    def amid(step: Fraction) -> list[Fraction]:
        return sorted({*starts, *(begin + k * step for k in range(int((end - begin) / step)))})

    # Windows of 0.3 s that overlap need all pictures; a window's sound needs that of two seconds before it.
    picture_starts, sound_starts = amid(Fraction(1, 4)), amid(Fraction(1))
    with MediaFile(path) as media:
        frames = frame_windows(media, picture_starts, frame_count=9, frame_rate=FRAME_RATE, size=size)
        waves = sound_windows(media, sound_starts, sample_rate=SAMPLE_RATE, sample_count=9 * SAMPLE_RATE // 30)
        frames_at = dict(zip(picture_starts, frames, strict=True))
        wave_at = dict(zip(sound_starts, waves, strict=True))
    for start, window in zip(starts, windows_of(path, starts, frame_count=9, size=size), strict=True):
        assert isinstance(window, Window)
        assert not isinstance(wave_at[start], MediaError)
        np.testing.assert_array_equal(window.frames_THWC, frames_at[start])
        # MPEG's sound decoder rounds by what came before.
        np.testing.assert_allclose(window.wave.astype(int), wave_at[start].astype(int), atol=2)


@pytest.mark.parametrize(("path", "frame_count"), [own("empty_packets.ogv", 53), real("formats/iscc_demo.ogv", 366)])
def test_empty_theora_packets_leave_the_frame_before(path: Path, frame_count: int) -> None:
    """As many frames as the FFmpeg program finds, at the same times."""
    with MediaFile(path) as media:
        stamps = [frame.pts for frame in decode_frames(media.video())]
    lines = ffmpeg(
        "-max_error_rate", "1", "-i", str(path), "-map", "0:v", *["-fps_mode", "passthrough", "-f", "framemd5", "-"]
    )
    theirs = [int(line.split(",")[2]) for line in lines.decode().splitlines() if not line.startswith("#")]
    assert len(stamps) == frame_count
    assert stamps == theirs


@pytest.mark.parametrize(
    "path",
    [
        own("demo.mp4"),
        own("demo.mkv"),
        own("demo.webm"),
        own("demo.avi"),
        own("demo.flv"),
        own("demo.mpg"),
        own("demo.3gp"),
        own("demo.rm"),
        own("demo.ts"),
        own("each_second.mp4"),
        own("edit_list.mp4"),
        own("empty_packets.ogv"),
        own("fragmented.mp4"),
        own("late_picture.mp4"),
        own("late_sound.asf"),
        own("varying_rate.mp4"),
        real("formats/iscc_demo.mp4", slow=True),
        real("formats/iscc_demo.mkv"),
        real("formats/iscc_demo.webm", slow=True),
        real("formats/iscc_demo.avi"),
        real("formats/iscc_demo.flv"),
        real("formats/iscc_demo.mpg"),
        real("formats/iscc_demo.3gp", slow=True),
        real("formats/iscc_demo.rm", slow=True),
        real("formats/apache_testASF.asf"),
        real("formats/brion_llama-drama-av1.webm"),
        real("formats/androidx_edit_list_positive_shift.mp4"),
        real("formats/mdn_segment001.ts"),
        real("formats/Zulko_fire2.mp4"),
        real("formats/pytorch_nasa_13013.mp4"),
    ],
)
def test_a_window_is_the_same_whether_or_not_what_is_before_it_was_decoded(path: Path) -> None:
    info = probe_path(path)
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


def test_frames_that_no_wanted_one_depends_on_are_not_decoded(tmp_path: Path) -> None:
    """The key picture is at 0 s, and of the rest every other one is such that none refers to it."""
    path = tmp_path / "long.mp4"
    x264 = "keyint=250:scenecut=0:b-adapt=0:b-pyramid=none"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=8")
    ffmpeg(*picture, "-c:v", "libx264", "-bf", "1", "-x264-params", x264, str(path))
    with MediaFile(path) as media:
        track = media.video()
        ticks = round(1 / 25 / track.time_base)
        decoded = [frame.pts // ticks for frame in decode_frames(track, Cue(150 * ticks))]
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


@pytest.mark.parametrize("path", [own("demo.mp4"), real("formats/mdn_rabbit320.mp4")])
def test_windows_may_overlap_and_are_the_same_alone(path: Path) -> None:
    starts = [Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(1, 2), Fraction(4)]
    together = windows_of(path, starts, frame_count=45)
    for start, window in zip(starts, together, strict=True):
        assert isinstance(window, Window)
        alone = window_of(path, start, frame_count=45)
        np.testing.assert_array_equal(window.frames_THWC, alone.frames_THWC)
        np.testing.assert_array_equal(window.wave, alone.wave)


@pytest.mark.parametrize(
    "path", [own(name) for name in ("six_channels.mkv", "two_of_each.mkv", "demo.mp4", "demo.ts", "demo.wmv")]
)
def test_the_sound_of_an_open_file_is_the_same_at_every_reading(path: Path) -> None:
    with MediaFile(path) as media:
        first, second = (dict(mono_pieces(media, SAMPLE_RATE)) for _ in range(2))
    assert first.keys() == second.keys()
    for index, samples in first.items():
        np.testing.assert_array_equal(samples, second[index])
