"""Nuisance: what each kind does to picture and sound, and that it leaves the events as they are."""

from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from s2v_ray.errors import UserError
from s2v_ray.media.encode import write_video
from s2v_ray.synthetic.nuisance.levels import LEVELS, Nuisance
from s2v_ray.synthetic.nuisance.movement import Movement, moved
from s2v_ray.synthetic.nuisance.picture import disturbed_frames
from s2v_ray.synthetic.nuisance.room import distant_sounds, disturbed_sound, reverberation
from s2v_ray.synthetic.nuisance.wander import wander
from s2v_ray.synthetic.scenes import SCENES
from s2v_ray.synthetic.sound import filtered_noise
from s2v_ray.synthetic.write import synthesize

DOMAINS = ("mouth", "hand", "fireworks", "sea")
SIZE, RATE = 96, 44100
SECONDS_T = (np.arange(90) + 0.5) / 30
NOTHING_HEARD = -np.inf
NONE = Nuisance(
    sway_sides=0,
    sway_degrees=0,
    shake_sides=0,
    shake_degrees=0,
    exposure_stops=0,
    sensor_noise=0,
    crf=18,
    branches=0,
    branch_degrees=0,
    room_noise_db=NOTHING_HEARD,
    reverberation_db=NOTHING_HEARD,
    distant_sounds_db=NOTHING_HEARD,
    reverberation_seconds=0.3,
)
PRESENT = [(name, level) for name in DOMAINS for level in ("moderate", "strong")]


def decoded(path):
    """Frames, float32 RGB [T, H, W, 3], and samples, int16 [S]."""
    with av.open(str(path)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16", "mono", RATE)
        samples = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return frames.astype(np.float32), np.concatenate(samples)


def texture():
    """A still picture, uint8 [SIZE, SIZE, 3], smooth enough to be moved by parts of a pixel."""
    noise = np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(np.float32)
    grey = 128 + 300 * cv2.GaussianBlur(noise, (0, 0), 3)
    return np.repeat(np.clip(grey, 20, 235)[..., None], 3, axis=2).astype(np.uint8)


def disturbed(nuisance, picture=None, *, source_seed=1, nuisance_seed=2, person=True):
    """A still picture for three seconds with `nuisance`, float32 [90, SIZE, SIZE, 3]."""
    picture = texture() if picture is None else picture
    frames = iter([picture] * len(SECONDS_T))
    seeds = {"source_seed": source_seed, "nuisance_seed": nuisance_seed}
    disturbed_ones = disturbed_frames(frames, nuisance, **seeds, seconds_T=SECONDS_T, person=person)
    return np.stack(list(disturbed_ones)).astype(np.float32)


def shifts(frames_THWC, crop=slice(None)):
    """How far each frame is shifted from the first, [T, 2] as (x, y) in pixels, by Lucas and Kanade's method."""
    grey = np.ascontiguousarray(frames_THWC[:, crop, crop].mean(3))
    inner = (slice(8, -8), slice(8, -8))
    slopes = np.stack([slope[inner].ravel() for slope in np.gradient(grey[0])[::-1]], axis=1)
    found = []
    for image in grey:
        shift = np.zeros(2)
        for _ in range(8):
            unlike = (shifted_back(image, shift) - grey[0])[inner].ravel()
            shift -= np.linalg.lstsq(slopes, unlike, rcond=None)[0]
        found.append(shift)
    return np.array(found)


def shifted_back(image, shift):
    """The image moved by −`shift`, (x, y) in pixels."""
    there = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    return cv2.warpAffine(image, there, image.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def loudness(wave, hop):
    """RMS in hops, [S // hop]."""
    count = len(wave) // hop
    return np.sqrt((wave[: count * hop].reshape(count, hop).astype(float) ** 2).mean(1))


def best_lag(one, other, most=15):
    """The shift of `other` at which it correlates best with `one`, and the correlation."""
    pairs = {lag: (one[most:-most], other[most + lag : len(other) - most + lag]) for lag in range(-most, most + 1)}
    correlations = {lag: np.corrcoef(*pair)[0, 1] for lag, pair in pairs.items()}
    return max(correlations.items(), key=lambda item: item[1])


# Files


@pytest.mark.parametrize("domain", DOMAINS)
def test_off_writes_the_scene_and_nothing_else(tmp_path, domain):
    (path,) = synthesize(domain, tmp_path, sources=1, seed=4, seconds=0.5, size=48)
    seeds = np.random.SeedSequence((4, 0)).generate_state(2).tolist()
    frames, wave = SCENES[domain](*seeds, seconds=0.5, size=48, frame_rate=Fraction(30), sample_rate=RATE)
    write_video(tmp_path / "scene.mp4", frames, wave, frame_rate=Fraction(30), sample_rate=RATE)
    assert path.read_bytes() == (tmp_path / "scene.mp4").read_bytes()


def test_a_file_depends_only_on_its_seed_and_number(tmp_path):
    numbers = {"seed": 4, "seconds": 0.5, "size": 64, "nuisance": "strong"}
    few = synthesize("mouth", tmp_path / "few", sources=1, **numbers)
    more = synthesize("mouth", tmp_path / "more", sources=2, **numbers)
    assert few[0].read_bytes() == more[0].read_bytes()
    (frames, _), (other, _) = decoded(more[0]), decoded(more[1])
    assert np.abs(frames - other).mean() > 20


def test_an_unknown_nuisance_names_those_there_are(tmp_path):
    with pytest.raises(UserError, match=r"'mild'.*off, moderate, strong") as error:
        synthesize("sea", tmp_path / "out", sources=1, seed=0, seconds=1, size=64, nuisance="mild")
    assert error.value.code == "unknown_nuisance"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("domain", "level"), PRESENT)
def test_sound_and_events_stay_where_they_are(tmp_path, domain, level):
    numbers = {"sources": 1, "seed": 9, "seconds": 4.0, "size": 64}
    clean, clean_wave = decoded(synthesize(domain, tmp_path / "clean", **numbers)[0])
    noisy, noisy_wave = decoded(synthesize(domain, tmp_path / "noisy", **numbers, nuisance=level)[0])
    assert noisy.shape == clean.shape
    assert noisy_wave.shape == clean_wave.shape
    lag, correlation = best_lag(loudness(clean_wave, 1470), loudness(noisy_wave, 1470))
    assert lag == 0
    assert correlation > (0.9 if level == "moderate" else 0.8)
    # Echoes are late by nature, but by less than a frame: 3 hops of 10 ms.
    assert 0 <= best_lag(loudness(clean_wave, 441), loudness(noisy_wave, 441))[0] <= 3
    # Without what the camera does, the frames are those of the same time, and of no other.
    unlike = [np.abs(noisy[5 + lag : 115 + lag] - clean[5:115]).mean() for lag in range(-5, 6)]
    assert np.argmin(unlike) == 5
    centre = slice(8, 56)
    motion, noisy_motion = (np.abs(np.diff(v[:, centre, centre], axis=0)).mean((1, 2, 3)) for v in (clean, noisy))
    assert best_lag(motion, noisy_motion)[0] == 0


@pytest.mark.parametrize("domain", DOMAINS)
def test_resampling_keeps_sound_and_first_image_and_resamples_the_nuisance(tmp_path, domain):
    numbers = {"sources": 1, "seed": 6, "seconds": 3.0, "size": 64}

    def pair(name, **more):
        return [
            decoded(synthesize(domain, tmp_path / name / str(again), **numbers, resample=again, **more)[0])
            for again in (0, 1)
        ]

    (clean, _), (clean_again, _) = pair("clean")
    (noisy, wave), (noisy_again, wave_again) = pair("noisy", nuisance="strong")
    np.testing.assert_array_equal(wave, wave_again)
    squares = ((noisy - noisy_again) ** 2).mean((1, 2, 3))
    assert squares[0] < 0.3 * squares[30:].mean()
    # So the noise ceiling is lower than without nuisance.
    assert squares[30:].mean() > 1.5 * ((clean - clean_again) ** 2)[30:].mean()


# Picture


def test_nothing_changes_nothing():
    np.testing.assert_array_equal(disturbed(NONE), np.stack([texture()] * 90))


def test_a_wander_starts_at_0_and_has_an_rms_of_1():
    seconds_T = np.arange(0, 60, 0.05)
    paths = np.stack([wander(np.random.default_rng(seed), seconds_T, 0.2, 2.0) for seed in range(20)])
    assert np.all(paths[:, 0] == 0)
    assert np.sqrt((paths[:, 40:] ** 2).mean()) == pytest.approx(1, abs=0.05)
    assert np.abs(paths).max() <= 4
    # Longer videos begin as shorter ones.
    np.testing.assert_array_equal(paths[3, :100], wander(np.random.default_rng(3), seconds_T[:100], 0.2, 2.0))


def still(**changes):
    return Movement(**{name: np.array([changes.get(name, 0.0)]) for name in Movement._fields})


def test_the_camera_moves_turns_and_zooms_the_frame():
    image = np.zeros((40, 40, 3), np.float32)
    image[10, 24] = 1  # 9.5 above the middle and 4.5 to its right
    there = moved(image, still(), still(right=3 / 40, down=-2 / 40), 0, 1.0)
    assert np.unravel_index(there.argmax(), there.shape)[:2] == (8, 27)
    turned = moved(image, still(), still(turn=np.pi / 2), 0, 1.0)  # clockwise: up goes right, right goes down
    assert np.unravel_index(turned.argmax(), turned.shape)[:2] == (24, 29)
    zoomed = moved(image, still(), still(), 0, 2.0)  # 19 above, 9 to the right
    assert zoomed[0:2, 28:30].min() > 0.9 * zoomed.max()


def test_a_person_moves_in_the_middle_and_not_at_the_border():
    image = np.tile(np.arange(40, dtype=np.float32)[None, :, None], (40, 1, 3))
    change = moved(image, still(right=2 / 40), still(), 0, 1.0) - image
    np.testing.assert_allclose(change[15:25, 15:25], -2, atol=1e-3)
    # Pixels' centres at the border are half a pixel inside.
    np.testing.assert_allclose(change[0], 0, atol=0.05)
    np.testing.assert_allclose(change[:, 0], 0, atol=0.05)


@pytest.mark.parametrize("level", ["moderate", "strong"])
def test_shake_has_its_size(level):
    only = replace(NONE, shake_sides=LEVELS[level].shake_sides)
    found = np.concatenate([shifts(disturbed(only, nuisance_seed=seed))[30:] for seed in range(12)])
    rms_sides = np.sqrt((found**2).mean()) / SIZE
    assert rms_sides == pytest.approx(only.shake_sides, rel=0.35)


def test_sway_has_its_size_and_leaves_the_corners():
    only, middle = replace(NONE, sway_sides=0.01), slice(24, 72)
    videos = [disturbed(only, nuisance_seed=seed) for seed in range(12)]
    found = np.concatenate([shifts(video, middle)[30:] for video in videos])
    assert np.sqrt((found**2).mean()) / SIZE == pytest.approx(0.01, rel=0.35)
    assert np.abs(videos[0][:, :12, :12] - videos[0][0, :12, :12]).max() <= 1
    np.testing.assert_array_equal(disturbed(only, person=False), disturbed(NONE))


def test_a_moderate_shake_is_undone_by_registration():
    frames = disturbed(replace(NONE, shake_sides=0.006))
    inner = (slice(12, -12), slice(12, -12))
    back = np.stack([shifted_back(frame, shift) for frame, shift in zip(frames, shifts(frames), strict=True)])
    unlike, registered = (np.abs(video[:, *inner] - frames[0][inner]).mean() for video in (frames, back))
    assert registered < 0.25 * unlike


def test_exposure_drifts_from_that_of_the_first_image():
    grey = np.full((SIZE, SIZE, 3), 100, np.uint8)
    levels = np.stack(
        [disturbed(replace(NONE, exposure_stops=0.3), grey, nuisance_seed=seed).mean((1, 2, 3)) for seed in range(12)]
    )
    np.testing.assert_allclose(levels[:, 0], 100, atol=0.6)
    stops = 2.2 * np.log2(levels[:, 30:] / 100)
    assert np.sqrt((stops**2).mean()) == pytest.approx(0.3, rel=0.35)


def test_sensor_noise_is_new_in_each_frame_and_less_in_the_dark():
    only = replace(NONE, sensor_noise=0.04)
    bright = disturbed(only, np.full((SIZE, SIZE, 3), 200, np.uint8)) - 200
    dark = disturbed(only, np.full((SIZE, SIZE, 3), 40, np.uint8)) - 40
    # 15 % of the power come without light.
    assert bright.std() == pytest.approx(255 * 0.04 * np.sqrt(0.15 + 0.85 * 200 / 255), rel=0.03)
    assert dark.std() == pytest.approx(255 * 0.04 * np.sqrt(0.15 + 0.85 * 40 / 255), rel=0.03)
    assert abs(np.corrcoef(bright[3].ravel(), bright[4].ravel())[0, 1]) < 0.05


def test_a_branch_moves_in_one_upper_corner():
    frames = disturbed(replace(NONE, branches=1, branch_degrees=6), np.full((SIZE, SIZE, 3), 200, np.uint8))
    moving = frames.std(0).max(2)
    left, right = moving[:44, :44], moving[:44, -44:]
    assert max(left.max(), right.max()) > 20
    assert min(left.max(), right.max()) == 0
    assert moving[44:].max() == 0
    # Its first image belongs to the source; how it sways on doesn't.
    again = disturbed(
        replace(NONE, branches=1, branch_degrees=6), np.full((SIZE, SIZE, 3), 200, np.uint8), nuisance_seed=3
    )
    assert np.abs(frames[0] - again[0]).mean() < 0.1
    assert np.abs(frames[60] - again[60]).mean() > 0.3


def test_two_branches_are_in_both_upper_corners():
    frames = disturbed(replace(NONE, branches=2, branch_degrees=6), np.full((SIZE, SIZE, 3), 200, np.uint8))
    moving = frames.std(0).max(2)
    assert min(moving[:44, :44].max(), moving[:44, -44:].max()) > 20


def test_coding_noise_grows_with_crf(tmp_path):
    frames, wave = SCENES["sea"](1, 1, seconds=0.5, size=64, frame_rate=Fraction(30), sample_rate=RATE)
    frames, errors = list(frames), []
    for crf in (18, 24, 30):
        path = tmp_path / f"{crf}.mp4"
        write_video(path, frames, wave, frame_rate=Fraction(30), sample_rate=RATE, crf=crf)
        errors.append(((decoded(path)[0] - np.stack(frames)) ** 2).mean())
    assert errors[1] > 1.3 * errors[0]
    assert errors[2] > 1.3 * errors[1]


# Sound


def tone(seconds=4.0):
    return np.round(3000 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def added(nuisance, wave=None):
    """What `nuisance` adds to the sound, in dB relative to it."""
    wave = tone() if wave is None else wave
    heard = disturbed_sound(wave, nuisance, source_seed=5, sample_rate=RATE)
    return 20 * np.log10((heard.astype(float) - wave).std() / wave.std())


def test_a_room_without_anything_leaves_the_sound():
    loud = np.array([0, 1, -1, 32767, -32767, 20000], np.int16)
    assert np.abs(disturbed_sound(loud, NONE, source_seed=5, sample_rate=RATE).astype(int) - loud).max() <= 1


@pytest.mark.parametrize("level", ["moderate", "strong"])
def test_room_noise_and_distant_sounds_have_their_levels(level):
    amount = LEVELS[level]
    noise = replace(NONE, room_noise_db=amount.room_noise_db)
    assert added(noise) == pytest.approx(amount.room_noise_db, abs=0.5)
    # Walls colour it.
    distant = replace(NONE, distant_sounds_db=amount.distant_sounds_db)
    assert added(distant) == pytest.approx(amount.distant_sounds_db, abs=5)


def test_reverberation_has_its_level_follows_the_sound_and_falls_by_60_db():
    speech = np.round(3000 * filtered_noise(np.random.default_rng(1), 4 * RATE, RATE, 300, 2000)).astype(np.int16)
    assert added(replace(NONE, reverberation_db=-8), speech) == pytest.approx(-8, abs=1)
    click = np.zeros(RATE)
    click[1000] = 1
    response = reverberation(np.random.default_rng(0), click, 0.5, RATE)
    assert np.abs(response[:1100]).max() < 1e-9
    remaining_db = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] + 1e-30)  # Schroeder's integral
    early, late = 1000 + round(0.05 * RATE), 1000 + round(0.3 * RATE)
    assert (remaining_db[early] - remaining_db[late]) / 0.25 * 0.5 == pytest.approx(60, abs=6)


def test_distant_sounds_have_nothing_to_do_with_the_sound():
    one, other = (distant_sounds(np.random.default_rng(seed), 6 * RATE, RATE) for seed in (1, 2))
    assert one.std() == pytest.approx(1)
    assert abs(np.corrcoef(loudness(one, 441), loudness(other, 441))[0, 1]) < 0.3
    # They come and go.
    assert np.quantile(loudness(one, 4410), 0.1) < 0.2


def test_silence_stays_silent():
    silent = np.zeros(RATE, np.int16)
    assert not disturbed_sound(silent, LEVELS["strong"], source_seed=5, sample_rate=RATE).any()
