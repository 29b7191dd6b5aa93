"""Windows that are silent, still, cut, or filmed by a moving camera are distinguished from good ones."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.decoding import window_of
from helpers.videos import own, real

from s2v_ray.dataset.measures import Measures, QualityLimits
from s2v_ray.preparation.quality.measure import measure_window, rejection_reason
from s2v_ray.synthetic.scenes import SCENES

RATE, SAMPLE_RATE, FRAMES, SIZE = Fraction(30), 6000, 90, 72
SECONDS = np.arange(FRAMES) / 30
NOISE = np.random.default_rng(0).normal(0, 3000, FRAMES * 200).astype(np.int16)


def texture(seed: int) -> np.ndarray:
    """A smooth random picture of 144 x 144 in [0, 255], colourful."""
    waves_K4 = np.random.default_rng(seed).uniform(-1, 1, (40, 4))
    y, x = np.mgrid[:144, :144]
    picture = sum(np.sin(0.4 * (a * x + b * y) + 9 * c)[..., None] * [d, 1, -d] for a, b, c, d in waves_K4)
    return np.clip(128 + 25 * np.asarray(picture), 0, 255)


def view(picture: np.ndarray, left: float, zoom: float = 1.0) -> np.ndarray:
    """72 x 72 of it, from `left` of the middle, by bilinear interpolation."""
    row = (np.arange(SIZE) - 35.5) / zoom + 71.5
    y, x = np.meshgrid(row, row + left, indexing="ij")
    j, i = y.astype(int), x.astype(int)
    b, a = (y - j)[..., None], (x - i)[..., None]
    above = picture[j, i] * (1 - a) + picture[j, i + 1] * a
    below = picture[j + 1, i] * (1 - a) + picture[j + 1, i + 1] * a
    return above * (1 - b) + below * b


def measure(pictures: list[np.ndarray], wave: np.ndarray = NOISE) -> Measures:
    frames_THWC = np.stack(pictures) + np.random.default_rng(1).normal(0, 1.5, (len(pictures), SIZE, SIZE, 3))
    return measure_window(np.clip(frames_THWC, 0, 255).astype(np.uint8), wave, RATE, SAMPLE_RATE)


def reason(measures: Measures, limits: QualityLimits = QualityLimits()) -> str:
    verdict = rejection_reason(measures, limits)
    return verdict[0] if verdict else ""


def moving_disc(picture: np.ndarray) -> list[np.ndarray]:
    """A textured disc, a fifth of the picture, swings to and fro on a still background."""
    y, x = np.mgrid[:SIZE, :SIZE]
    pictures = []
    for second in SECONDS:
        centre = 36 + 18 * np.sin(5 * second)
        inside = ((x - centre) ** 2 + (y - 36) ** 2 < 18**2)[..., None]
        pictures.append(np.where(inside, view(255 - picture, -centre), view(picture, 0)))
    return pictures


def test_loudness_is_rms_in_db_of_full_scale() -> None:
    half = np.full(FRAMES * 200, 16384, np.int16)
    assert measure(moving_disc(texture(0)), half).loudness_db == pytest.approx(-6.02, abs=0.01)
    assert measure(moving_disc(texture(0)), half * 0).loudness_db == -100
    assert reason(measure(moving_disc(texture(0)), half * 0)) == "silent"


def test_motion_is_the_mean_change_of_a_video_from_0_to_1() -> None:
    frames = np.zeros((FRAMES, SIZE, SIZE, 3), np.uint8)
    assert reason(measure_window(frames, NOISE, RATE, SAMPLE_RATE)) == "still_picture"
    frames[1::2, :, :36] = 51  # half of the picture goes up and down by 51/255
    assert measure_window(frames, NOISE, RATE, SAMPLE_RATE).motion == pytest.approx(0.1)


@pytest.mark.parametrize("speed", [0.1, 0.2, 0.5])
def test_a_pan_is_measured_in_sides_a_second(speed: float) -> None:
    picture = texture(1)
    measures = measure([view(picture, 35 - abs(speed * SIZE * second - 35) % 35) for second in SECONDS])
    assert measures.camera_motion == pytest.approx(speed, rel=0.15)
    assert reason(measures) == "camera_moves"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_camera_that_shakes_or_zooms_moves(seed: int) -> None:
    picture = texture(seed)
    shaking = measure([view(picture, np.sin(15 * second)) for second in SECONDS])
    zooming = measure([view(picture, 0, 1.6**second) for second in SECONDS])
    assert reason(shaking) == reason(zooming) == "camera_moves"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_moves_before_a_still_camera_is_no_camera_motion(seed: int) -> None:
    measures = measure(moving_disc(texture(seed)))
    assert measures.camera_motion < 0.02
    assert reason(measures) == ""


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("cut", [15, 45, 75])
def test_a_cut_changes_the_picture_for_good(seed: int, cut: int) -> None:
    before, after = moving_disc(texture(seed)), moving_disc(texture(seed + 10))
    assert reason(measure(before[:cut] + after[cut:])) == "scene_cut"


def test_light_that_comes_and_goes_is_no_cut() -> None:
    disc = moving_disc(texture(1))
    clap = [picture + 150 * (frame == 45) for frame, picture in enumerate(disc)]
    burst = [0.3 * picture + 180 * np.exp(-(s - 1)) * (s >= 1) for s, picture in zip(SECONDS, disc, strict=True)]
    lamp = [picture * (0.4 if frame < 45 else 1) for frame, picture in enumerate(disc)]
    for pictures in (clap, burst, lamp):
        assert reason(measure(pictures)) == ""


def test_lag_rejects_only_when_asked_and_sure() -> None:
    late = Measures(-20, 0.01, 0.0, 0.0, 0.1, lag_frames=-9.0, lag_confidence=0.7)
    assert rejection_reason(late, QualityLimits()) is None
    assert rejection_reason(late, QualityLimits(max_lag_frames=9)) is None
    verdict = rejection_reason(late, QualityLimits(max_lag_frames=5))
    assert verdict is not None
    assert verdict[0] == "lag"
    assert all(part in verdict[1] for part in ("9 frames before", "0.70", "5", "--max-lag-frames"))
    assert rejection_reason(replace(late, lag_confidence=0.1), QualityLimits(max_lag_frames=5)) is None


def test_a_flash_and_a_bang_seven_frames_later() -> None:
    picture = moving_disc(texture(1))[0]
    glow = sum(np.exp(-(SECONDS - at) * 8) * (at <= SECONDS) for at in (0.4, 0.9, 1.9))
    pictures = [0.3 * picture + 120 * light for light in np.asarray(glow)]
    sample_seconds = np.arange(FRAMES * 200) / 6000
    bangs = sum(
        np.exp(-np.maximum(sample_seconds - at - 7 / 30, 0) * 8) * (at + 7 / 30 <= sample_seconds)
        for at in (0.4, 0.9, 1.9)
    )
    measures = measure(pictures, (NOISE * (bangs + 0.01)).astype(np.int16))
    assert measures.lag_frames == pytest.approx(7, abs=1)


@pytest.mark.parametrize("domain", SCENES)
def test_synthetic_domains_are_good(domain: str) -> None:
    for seed in range(3):
        frames, wave = SCENES[domain](seed, seed, seconds=4, size=72, frame_rate=Fraction(30), sample_rate=8400)
        assert (
            rejection_reason(measure_window(np.stack(list(frames)), wave, Fraction(30), 8400), QualityLimits()) is None
        )


def reason_in_file(path: Path, start: float, frame_count: int = 80) -> str:
    window = window_of(path, Fraction(start), frame_count, size=72)
    return reason(measure_window(window.frames_THWC, window.wave, Fraction(30), 44100))


@pytest.mark.parametrize(
    "path",
    [
        own("bursting.mp4"),
        own("falling.mp4"),
        own("opening.mp4"),
        own("swinging.mp4"),
        real("domains/fireworks/abbyt6-1630325_Fireworks.mp4"),
        real("domains/fireworks/vas_fireworks_video_02997.mp4"),
        real("domains/fireworks/vas_fireworks_video_03051.mp4"),
        real("domains/hit/XYPB_chopping.mp4"),
        real("domains/hit/vas_hammer_video_00323.mp4"),
        real("domains/mouth/psychopy_jwpIntro.mp4"),
        real("domains/mouth/rizkiarm_bbaf2n.mpg"),
        real("domains/mouth/rizkiarm_swiz3n.mpg"),
        real("domains/sea/collidingScopes_waves.mp4"),
        real("domains/sea/ofekbytes_sea.mp4"),
    ],
)
def test_what_moves_before_a_still_camera_is_good(path: Path) -> None:
    assert reason_in_file(path, 0.25) == ""


@pytest.mark.parametrize(
    ("path", "sound_start"),
    [own("silent_start.mp4", 3.75), real("domains/hit/malikmrllh_clapsoverhead.mp4", 20.0)],
)
def test_a_clip_is_silent_until_its_sound_begins(path: Path, sound_start: float) -> None:
    assert reason_in_file(path, 0.25) == "silent"
    assert reason_in_file(path, sound_start) == ""


@pytest.mark.parametrize(
    ("path", "start", "expected"),
    [
        own("panning.mp4", 0.25, "camera_moves"),
        own("cut.mp4", 0.25, "scene_cut"),
        own("silent_start.mp4", 0.5, "silent"),
        own("still.mp4", 0.25, "still_picture"),
        real("domains/mouth/mdn_video.mp4", 5.0, "camera_moves"),  # the camera draws back
        real("domains/hit/vas_hammer_video_00323.mp4", 7.0, "camera_moves"),  # it goes near
        real("formats/apache_testVideoMp4.mp4", 7.0, "scene_cut"),
        real("formats/androidx_silent-black-10s.mp4", 1.0, "silent"),
        real("formats/apache_testWMV.wmv", 1.0, "still_picture"),
    ],
)
def test_useless_clips_are_rejected(path: Path, start: float, expected: str) -> None:
    assert reason_in_file(path, start) == expected


def test_wrong_shapes_are_refused() -> None:
    frames = np.zeros((30, 8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=r"\(6000"):
        measure_window(frames, np.zeros(5999, np.int16), RATE, 6000)
    with pytest.raises(ValueError, match="uint8"):
        measure_window(frames.astype(np.float32), np.zeros(6000, np.int16), RATE, 6000)
    assert rejection_reason(measure_window(frames, np.zeros(6000, np.int16), RATE, 6000), QualityLimits())
