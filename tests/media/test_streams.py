"""Which tracks are read, times that begin anew on the way, and channels that cancel."""

import itertools
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.decoding import FFMPEG, ffmpeg, probe_path, read_sound, windows_of

from s2v_ray.errors import MediaError, UserError
from s2v_ray.media.audio_file import count_samples, sound_blocks
from s2v_ray.media.decoding.audio import channels_taken
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.tracks import TrackNumbers
from s2v_ray.media.decoding.windows import Window
from s2v_ray.preparation.autocrop import read_whole_frames

# Beeps of 0.1 s at 1 and 2.5 of 3 s, each with a flash.
BEEPS = "0.5*sin(2*PI*880*t)*(between(t,1,1.1)+between(t,2.5,2.6))"
FLASHES = "geq=lum='if(between(T,1,1.1)+between(T,2.5,2.6),235,16)':cb=128:cr=128"


def make(path: Path, *coding: str, sound: str = BEEPS) -> None:
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{sound}':s=48000:d=3", *coding, str(path))


def make_video(path: Path, *coding: str) -> None:
    picture = ("-f", "lavfi", "-i", f"color=black:s=64x48:r=25:d=3,format=yuv420p,{FLASHES}")
    sound = ("-f", "lavfi", "-i", f"aevalsrc='{BEEPS}':s=48000:d=3")
    ffmpeg(*picture, *sound, *coding, str(path))


def append(first: Path, second: Path, to: Path) -> None:
    to.write_bytes(first.read_bytes() + second.read_bytes())


def onsets_seconds(loud: np.ndarray, rate: float) -> list[float]:
    times = np.flatnonzero(loud) / rate
    starts = [times[0], *(b for a, b in itertools.pairwise(times) if b - a > 0.3)] if len(times) else []
    return [round(float(time), 2) for time in starts]


def beeps_in(wave: np.ndarray, rate: int = 8000) -> list[float]:
    return onsets_seconds(np.abs(wave.astype(int)) > 4000, rate)


@pytest.mark.parametrize(
    ("name", "coding"),
    [
        ("a.ogg", ["-c:a", "libvorbis"]),
        ("a.opus", ["-c:a", "libopus"]),
        ("a.oga", ["-c:a", "flac"]),
        ("a.flac", []),
        ("a.mpg", ["-c:a", "mp2"]),
        ("a.ts", ["-c:a", "aac"]),
        ("a.mkv", ["-c:a", "aac"]),
        ("a.mp3", []),
        ("a.aac", []),
    ],
)
def test_a_sound_appended_to_another_is_heard_after_it(tmp_path: Path, name: str, coding: list[str]) -> None:
    make(tmp_path / name, *coding)
    append(tmp_path / name, tmp_path / name, tmp_path / f"twice_{name}")
    wave = read_sound(tmp_path / f"twice_{name}", 8000)
    assert len(wave) / 8000 == pytest.approx(6, abs=0.1)
    assert beeps_in(wave) == pytest.approx([1, 2.5, 4, 5.5], abs=0.08)
    assert count_samples(tmp_path / f"twice_{name}", 8000) == len(wave)
    np.testing.assert_array_equal(np.concatenate(list(sound_blocks(tmp_path / f"twice_{name}", 8000))), wave)


@pytest.mark.parametrize(
    ("name", "coding", "times"),
    [  # of more than two, FFmpeg finds only the first two in Matroska, and loses the sound in Ogg with a picture
        ("a.ts", ["-c:v", "libx264", "-g", "10", "-c:a", "aac"], 3),
        ("a.mpg", ["-c:v", "mpeg2video", "-c:a", "mp2"], 3),
        ("a.ogv", ["-c:v", "libtheora", "-c:a", "libvorbis"], 2),
        ("a.mkv", ["-c:v", "libx264", "-g", "10", "-c:a", "aac"], 2),
    ],
)
def test_flashes_meet_beeps_in_all_parts(tmp_path: Path, name: str, coding: list[str], times: int) -> None:
    make_video(tmp_path / name, *coding)
    appended = tmp_path / f"appended_{name}"
    appended.write_bytes((tmp_path / name).read_bytes() * times)
    info = probe_path(appended)
    assert float(info.picture_end) == pytest.approx(3 * times, abs=0.35)
    # Read as a whole, and only around the last part's second flash.
    (whole,) = windows_of(appended, [Fraction(0)], 90 * times - 30, 16)
    assert isinstance(whole, Window), whole
    flashes = onsets_seconds(whole.frames_THWC.mean((1, 2, 3)) > 100, 30)
    beeps = onsets_seconds(np.abs(whole.wave.astype(int)) > 4000, 44100)
    assert len(flashes) >= 2 * times - 1
    assert flashes == pytest.approx(beeps, abs=0.07)
    start = Fraction(round(flashes[-1] * 30) - 15, 30)
    (late,) = windows_of(appended, [start], 20, 16)
    assert isinstance(late, Window), late
    first = round(start * 30)
    np.testing.assert_array_equal(late.frames_THWC, whole.frames_THWC[first : first + 20])
    with MediaFile(appended) as media:
        few_THWC = read_whole_frames(media, start, 20, Fraction(30), 21, 16)
    assert onsets_seconds(few_THWC.mean((1, 2, 3)) > 100, 30) == pytest.approx([0.5], abs=0.04)


def test_a_single_packet_out_of_time_begins_no_part(tmp_path: Path) -> None:
    """What comes back is disorder: here 20 ms of sound that claim to be two seconds earlier."""
    late = "asetpts='if(eq(N,80),PTS-2*SR,PTS)'"
    make(tmp_path / "a.mkv", "-af", late, "-c:a", "pcm_s16le")
    with MediaFile(tmp_path / "a.mkv") as media:
        assert media.audio().parts == ()
    assert len(read_sound(tmp_path / "a.mkv", 8000)) == pytest.approx(3 * 8000, abs=300)


def power(wave: np.ndarray) -> float:
    return float((wave.astype(float) ** 2).mean())


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ("{s}|-{s}", 1),  # opposite: the mix is silent
        ("{s}|-0.6*{s}", 1),
        ("0.5*{s}|-{s}", 2),  # the second is louder
        ("{s}|{s}", 0),
        ("{s}|0", 0),
        ("{s}|0.5*sin(2*PI*313*t)", 0),
        ("{s}|-0.1*{s}", 0),
        ("0|0", 0),
        ("{s}", 0),
    ],
)
@pytest.mark.parametrize("coding", [["-c:a", "pcm_u8"], ["-c:a", "pcm_s16le"], ["-c:a", "pcm_f32le"]], ids=str)
def test_channels_that_cancel_are_not_mixed(tmp_path: Path, channels: str, expected: int, coding: list[str]) -> None:
    signal = "0.5*sin(2*PI*440*t)"
    make(tmp_path / "a.wav", *coding, sound=channels.replace("{s}", signal))
    with MediaFile(tmp_path / "a.wav") as media:
        assert [channel + 1 for channel in channels_taken(media).values()] == ([expected] if expected else [])
    if expected:
        assert power(read_sound(tmp_path / "a.wav", 8000)) == pytest.approx(0.125 * 32768**2, rel=0.05)


@pytest.mark.parametrize(
    ("layout", "channels", "expected"),
    [
        ("5.1", "{s}|-{s}|0|0|0|0", 0),
        ("5.1", "0|0|{s}|0|0|0", None),  # a voice in the centre stays as quiet as FFmpeg mixes it
        ("5.1", "0|0|0|{s}|0|0", 3),  # the mix leaves out the low-frequency channel
        ("7.1", "{s}|-{s}|0|0|0|0|0|0", 0),
    ],
)
@pytest.mark.parametrize("coding", [["-c:a", "pcm_s16le"], ["-c:a", "aac", "-b:a", "512k"]], ids=str)
def test_of_many_channels(tmp_path: Path, layout: str, channels: str, expected: int | None, coding: list[str]) -> None:
    """Of eight in AAC, which PyAV can't take apart, too."""
    sound = channels.replace("{s}", "0.5*sin(2*PI*60*t)") + f":c={layout}"
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc={sound}:s=48000:d=1", *coding, str(tmp_path / "a.mkv"))
    with MediaFile(tmp_path / "a.mkv") as media:
        taken = list(channels_taken(media).values())
    assert len(taken) == (0 if expected is None else 1)
    assert expected in [*taken, None]
    assert np.abs(read_sound(tmp_path / "a.mkv", 8000).astype(int)).max() > 2000


def test_all_windows_of_a_file_take_the_same_channel(tmp_path: Path) -> None:
    """Its channels cancel for most of three seconds: then the rest is not mixed either."""
    left, right = "0.5*sin(2*PI*440*t)", "if(lt(t,2.5),-1,1)*0.5*sin(2*PI*440*t)"
    picture = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=3")
    sound = ("-f", "lavfi", "-i", f"aevalsrc='{left}|{right}':s=44100:d=3")
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-c:a", "pcm_s16le", str(tmp_path / "a.mkv"))
    windows = windows_of(tmp_path / "a.mkv", [Fraction(0), Fraction(1), Fraction(2)], 25, 16)
    for window in windows:
        assert isinstance(window, Window), window
        assert power(window.wave) == pytest.approx(0.125 * 32768**2, rel=0.1)


def test_the_track_that_sounds_is_taken(tmp_path: Path) -> None:
    silence, tone = (("-f", "lavfi", "-i", f"aevalsrc='{sound}':s=48000:d=3") for sound in ("0", BEEPS))
    ffmpeg(*silence, *tone, "-map", "0", "-map", "1", "-c:a", "aac", str(tmp_path / "a.mp4"))
    assert beeps_in(read_sound(tmp_path / "a.mp4", 8000)) == pytest.approx([1, 2.5], abs=0.05)
    assert not read_sound(tmp_path / "a.mp4", 8000, audio_track=1).any()
    assert beeps_in(read_sound(tmp_path / "a.mp4", 8000, audio_track=2)) == pytest.approx([1, 2.5], abs=0.05)
    with pytest.raises(UserError) as caught:
        read_sound(tmp_path / "a.mp4", 8000, audio_track=3)
    assert caught.value.code == "no_such_track"


def test_silence_is_silence_where_all_tracks_are_silent(tmp_path: Path) -> None:
    silence = ("-f", "lavfi", "-i", "aevalsrc=0:s=48000:d=1")
    ffmpeg(*silence, *silence, "-map", "0", "-map", "1", "-c:a", "aac", str(tmp_path / "a.mp4"))
    with MediaFile(tmp_path / "a.mp4") as media:
        assert media.audio().stream.index == 0
    assert not read_sound(tmp_path / "a.mp4", 8000).any()


def test_a_track_without_decoder_is_passed_over(tmp_path: Path) -> None:
    """The first track's codec is given a name that nobody knows."""
    low, beeps = (("-f", "lavfi", "-i", f"aevalsrc='{sound}':s=48000:d=3") for sound in ("0.1*sin(t)", BEEPS))
    ffmpeg(*low, *beeps, "-map", "0", "-map", "1", "-c:a:0", "pcm_s16le", "-c:a:1", "aac", str(tmp_path / "a.mov"))
    content = (tmp_path / "a.mov").read_bytes()
    at = content.index(b"sowt", content.index(b"stsd"))
    (tmp_path / "a.mov").write_bytes(content[:at] + b"xyzw" + content[at + 4 :])
    assert beeps_in(read_sound(tmp_path / "a.mov", 8000)) == pytest.approx([1, 2.5], abs=0.05)
    media = MediaFile(tmp_path / "a.mov", track_numbers=TrackNumbers(audio=1))
    with media, pytest.raises(MediaError) as caught:
        media.audio()
    assert caught.value.code == "undecodable_audio"


def test_a_track_of_one_picture_is_passed_over(tmp_path: Path) -> None:
    """It is larger than the video, so that FFmpeg's own choice would be it."""
    thumbnail = ("-f", "lavfi", "-i", "color=red:s=320x240:r=1:d=1")
    video = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=3")
    codecs = ("-map", "0", "-map", "1", "-map", "2", "-c:v:0", "mjpeg", "-c:v:1", "libx264", "-c:a", "aac")
    sound = ("-f", "lavfi", "-i", f"aevalsrc='{BEEPS}':s=48000:d=3")
    ffmpeg(*thumbnail, *video, *sound, *codecs, str(tmp_path / "a.mp4"))
    info = probe_path(tmp_path / "a.mp4")
    assert (info.width, info.height) == (64, 48)
    assert float(info.picture_end) == pytest.approx(3, abs=0.05)
    with MediaFile(tmp_path / "a.mp4", track_numbers=TrackNumbers(video=1)) as media:
        assert media.video().decoder.name == "mjpeg"
        assert {kind: (track.number, track.count) for kind, track in media.taken().items()} == {
            "video": (1, 2),
            "audio": (1, 1),
        }


def test_one_picture_alone_is_still_the_video(tmp_path: Path) -> None:
    subprocess.run(
        [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "color=red:s=32x32:r=1:d=1", str(tmp_path / "a.mp4")], check=True
    )
    with MediaFile(tmp_path / "a.mp4") as media:
        assert media.video().stream.index == 0
