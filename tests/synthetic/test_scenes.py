"""The scenes: what all four promise, and that light follows bang and water follows swell."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from s2v_ray.errors import UserError
from s2v_ray.synthetic.scenes import SCENES

SIZE, FRAME_RATE, SAMPLE_RATE = 64, Fraction(30), 44100
DOMAINS = ("mouth", "hand", "fireworks", "sea")


def render(
    domain, source_seed, nuisance_seed=1, seconds=4.0, size=SIZE, frame_rate=FRAME_RATE, sample_rate=SAMPLE_RATE
):
    frames, wave = SCENES[domain](
        source_seed, nuisance_seed, seconds=seconds, size=size, frame_rate=frame_rate, sample_rate=sample_rate
    )
    return np.stack(list(frames)), wave


def motion_energy(frames_THWC):
    return np.abs(np.diff(frames_THWC.astype(np.float32), axis=0)).mean((1, 2, 3))


def levels_decibels(wave, frame_count):
    samples = wave.reshape(frame_count, -1) / 32768
    return 10 * np.log10((samples**2).mean(1) + 1e-9)


def test_there_are_four_domains():
    assert set(SCENES) == set(DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(
    ("seconds", "size", "frame_rate", "sample_rate", "frame_count", "sample_count"),
    [
        (1.0, 64, Fraction(30), 44100, 30, 44100),
        (0.5, 128, Fraction(25), 16000, 12, 12 * 640),  # 12.5 frames: an even 12, and the sound ends with them
        (0.5, 64, Fraction(30000, 1001), 30000, 15, 15 * 1001),
    ],
)
def test_frames_and_samples_are_counted_exactly(
    domain, seconds, size, frame_rate, sample_rate, frame_count, sample_count
):
    frames, wave = render(domain, 3, 1, seconds, size, frame_rate, sample_rate)
    assert frames.shape == (frame_count, size, size, 3)
    assert frames.dtype == np.uint8
    assert wave.shape == (sample_count,)
    assert wave.dtype == np.int16


@pytest.mark.parametrize("domain", DOMAINS)
def test_rates_that_do_not_divide_are_refused(domain):
    with pytest.raises(UserError, match=r"44100.*30000/1001"):
        render(domain, 3, frame_rate=Fraction(30000, 1001))


@pytest.mark.parametrize("domain", DOMAINS)
def test_same_seeds_give_the_same_scene(domain):
    (frames, wave), (again, wave_again) = render(domain, 5, seconds=1.5), render(domain, 5, seconds=1.5)
    np.testing.assert_array_equal(frames, again)
    np.testing.assert_array_equal(wave, wave_again)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_nuisance_seed_changes_neither_sound_nor_events(domain):
    (frames, wave), (other, wave_other) = render(domain, 5, nuisance_seed=1), render(domain, 5, nuisance_seed=2)
    np.testing.assert_array_equal(wave, wave_other)
    assert np.any(frames != other)
    energy, energy_other = motion_energy(frames), motion_energy(other)
    assert np.corrcoef(energy, energy_other)[0, 1] > 0.95
    # Most of what moves follows from image and sound, and so is the same in both.
    unlike, moving = (frames / 255 - other / 255) ** 2, (frames / 255 - frames[0] / 255) ** 2
    assert unlike.sum() < 0.35 * moving.sum()


@pytest.mark.parametrize("domain", DOMAINS)
def test_two_sources_differ_in_image_sound_and_rhythm(domain):
    (frames, wave), (other, wave_other) = render(domain, 5), render(domain, 6)
    assert np.abs(frames[0].astype(float) - other[0]).mean() > 4
    assert abs(np.corrcoef(wave, wave_other)[0, 1]) < 0.5
    assert np.corrcoef(motion_energy(frames), motion_energy(other))[0, 1] < 0.7


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_frames_move(domain):
    assert motion_energy(render(domain, 7)[0]).max() > 2


@pytest.mark.parametrize("source_seed", range(4))
def test_each_bang_is_a_flash_in_the_same_frame(source_seed):
    frames, wave = render("fireworks", source_seed)
    brightness = frames.astype(np.float32).mean((1, 2, 3))
    flashes = {t for t in range(1, len(frames)) if brightness[t] - brightness[t - 1] > 4}
    bangs = set()
    peaks = np.abs(wave.astype(np.float32)).reshape(-1, 147).max(1)  # 300 a second, 10 a frame
    for before, now in pairwise(range(3, len(peaks))):
        # The sound jumps to over three times its peak in the 10 ms before.
        if peaks[now] > 3 * peaks[before - 2 : before + 1].max() and peaks[now] > 2000:
            bangs.add(now // 10)
    assert len(bangs) >= 2
    assert bangs <= flashes
    # A quiet burst within the crackle of a loud one makes no such jump, but most flashes have theirs.
    assert len(flashes - bangs) <= len(flashes) / 3


@pytest.mark.parametrize("source_seed", range(4))
def test_motion_peaks_at_a_bang(source_seed):
    frames, wave = render("fireworks", source_seed)
    energy, loudness = motion_energy(frames), np.abs(wave.reshape(len(frames), -1).astype(np.float32)).max(1)
    rises = np.flatnonzero(loudness[1:] > 2 * loudness[:-1])
    assert np.abs(rises - energy.argmax()).min() <= 1
    assert energy.max() > 5 * np.median(energy)


def test_the_night_is_still_without_bursts():
    frames, wave = render("fireworks", 0)
    energy = motion_energy(frames)
    silent = levels_decibels(wave, len(frames)) < -50
    still = silent[1:] & silent[:-1]
    assert still.sum() >= 5
    assert energy[still].max() < 0.02 * energy.max()


@pytest.mark.parametrize("source_seed", range(4))
def test_louder_bursts_are_larger(source_seed):
    frames, wave = render("fireworks", source_seed, seconds=16.0)
    brightness = frames.astype(np.float32).mean((1, 2, 3))
    jumps = np.diff(brightness, prepend=brightness[0])
    flashes = np.flatnonzero(jumps > 4)
    loudness = np.abs(wave.reshape(len(frames), -1).astype(np.float32)).max(1)
    assert len(flashes) > 6
    assert np.corrcoef(jumps[flashes], loudness[flashes])[0, 1] > 0.6


@pytest.mark.parametrize("source_seed", range(4))
def test_the_water_line_follows_the_loudness(source_seed):
    frames, wave = render("sea", source_seed, seconds=8.0)
    loudness = levels_decibels(wave, len(frames))
    # The line is, in each column, the lowest pixel that differs from the beach when the sea is quietest;
    # where none does, the water is at rest, at its smallest extent.
    unlike = np.abs(frames.astype(int) - frames[loudness.argmin()]).max(3) > 30
    line = np.where(unlike.any(1), SIZE - unlike[:, ::-1].argmax(1), SIZE)
    line = np.where(unlike.any(1), line, line.min(0)).mean(1)
    assert np.ptp(line) > SIZE / 8
    assert np.corrcoef(line, loudness)[0, 1] > 0.95
    # Monotone: their ranks agree, too.
    assert np.corrcoef(line.argsort().argsort(), loudness.argsort().argsort())[0, 1] > 0.95


@pytest.mark.parametrize("source_seed", range(4))
def test_white_water_rises_and_falls_with_the_hiss(source_seed):
    frames, wave = render("sea", source_seed, seconds=8.0)
    whiteness = frames.astype(np.float32).min(3)  # white has much of all three colours
    quietest = levels_decibels(wave, len(frames)).argmin()
    white_water = np.maximum(whiteness - whiteness[quietest], 0).mean((1, 2))
    spectrum = np.abs(np.fft.rfft(wave.reshape(len(frames), -1) / 32768))
    hiss = np.log(spectrum[:, 1470 * 6000 // SAMPLE_RATE :].mean(1))
    assert np.corrcoef(white_water, hiss)[0, 1] > 0.6
