"""Peaks, onsets and what agrees with them, against values worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from s2v_ray.metrics.av_align import av_align
from s2v_ray.metrics.bands import band_levels
from s2v_ray.metrics.beat_alignment import beat_alignment
from s2v_ray.metrics.onset_f1 import onset_f1
from s2v_ray.metrics.peaks import matched, peaks, rises, sound_onsets
from s2v_ray.metrics.video_motion import motion_peaks

RATE, PER_FRAME = 24000, 800


def flashes(frames_on: list[int], level: float = 1.0, frames: int = 100) -> Tensor:
    """A dark video [frames, 3, 16, 16] with a bright square in the given frames."""
    video = torch.full((frames, 3, 16, 16), -1.0)
    video[frames_on, :, 4:12, 4:12] = -1 + level
    return video


def clicks(frames_on: list[int], frames: int = 100) -> Tensor:
    """Silence with a burst of noise within each of the given frames."""
    generator = torch.Generator().manual_seed(1)
    wave = torch.zeros(frames * PER_FRAME)
    for frame in frames_on:
        start = frame * PER_FRAME + 100
        wave[start : start + 600] = 0.3 * torch.randn(600, generator=generator).clamp(-3, 3)
    return wave


def test_peaks_are_the_highest_around_and_the_first_of_equal_ones() -> None:
    curve = torch.tensor([0.0, 0, 5, 0, 4, 0, 0, 0, 0, 6, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    # The 4 stands within three of the 5, the second 6 within three of the first; the 1 is below mean + deviation.
    assert peaks(curve, flat=0.0) == [2, 9]


def test_peaks_may_stand_at_the_ends() -> None:
    assert peaks(torch.tensor([3.0, 0, 0, 0, 0, 0, 3.0]), flat=0.0) == [0, 6]


@pytest.mark.parametrize("curve", [torch.zeros(9), torch.full((9,), 0.3), torch.zeros(0), torch.ones(1)])
def test_flat_curves_have_no_peaks(curve: Tensor) -> None:
    assert peaks(curve, flat=1e-9) == []


def test_rises_leave_falls_out() -> None:
    assert rises(torch.tensor([1.0, 3, 2, 2, 5])).tolist() == [2, 0, 0, 3]


@pytest.mark.parametrize(
    ("first", "second", "within", "pairs"),
    [
        ([10], [9, 11], 1, 1),
        ([9, 11], [10], 1, 1),
        ([0, 3], [2, 5], 2, 2),
        ([0, 10, 20], [3, 13, 23], 2.9, 0),
        ([0, 10, 20], [3, 13, 23], 3, 3),
        ([], [1], 5, 0),
    ],
)
def test_each_moment_is_matched_once(first: list[int], second: list[int], within: float, pairs: int) -> None:
    assert matched(first, second, within=within) == pairs


def test_onset_f1_by_hand() -> None:
    # At 30 a second three frames are 0.1 s: 22 and 57 hit 20 and 60, 47 misses 40, 80 is superfluous.
    real, generated = flashes([20, 40, 60]), flashes([22, 47, 57, 80])
    assert onset_f1(generated, real, frame_rate=30) == pytest.approx(2 * 2 / (3 + 4))
    # At 25 a second three frames are 0.12 s, at 10 a second seven are 0.7 s.
    assert onset_f1(generated, real, frame_rate=25) == pytest.approx(2 * 1 / (3 + 4))
    assert onset_f1(generated, real, frame_rate=10, within_seconds=0.7) == pytest.approx(2 * 3 / (3 + 4))


def test_onset_f1_is_of_when_not_of_how_much() -> None:
    assert onset_f1(flashes([20, 60], level=0.3), flashes([20, 60]), frame_rate=30) == 1.0


def test_a_frozen_video_has_no_onset_right() -> None:
    real, frozen = flashes([20, 60]), flashes([])
    assert onset_f1(frozen, real, frame_rate=30) == 0.0
    assert onset_f1(real, frozen, frame_rate=30) == 0.0
    assert onset_f1(frozen, frozen, frame_rate=30) is None
    assert motion_peaks(frozen) == []


def test_motion_peaks_where_a_frame_starts_to_differ() -> None:
    assert motion_peaks(flashes([20, 40, 60])) == [20, 40, 60]


def test_sound_onsets_are_the_frames_where_bursts_start() -> None:
    assert sound_onsets(clicks([0, 25, 50, 99]), frames=100, sample_rate=RATE) == [25, 50, 99]


def test_steady_sounds_have_no_onsets() -> None:
    noise = 0.1 * torch.randn(100 * PER_FRAME, generator=torch.Generator().manual_seed(0))
    tone = 0.5 * torch.sin(torch.arange(100 * PER_FRAME) * 2 * math.pi * 440 / RATE)
    for wave in (noise, tone, torch.zeros(100 * PER_FRAME)):
        assert sound_onsets(wave, frames=100, sample_rate=RATE) == []


def test_band_levels_of_a_tone_by_hand() -> None:
    # A sinusoid of amplitude 1 has half of the power of a constant 1: -3.01 dB, nearly all of it in one band.
    tone = torch.sin(torch.arange(10 * PER_FRAME) * 2 * math.pi * 3000 / RATE)
    level = band_levels(tone, frames=10, sample_rate=RATE)
    assert level.amax(1).tolist() == pytest.approx([10 * math.log10(0.5)] * 10, abs=0.05)
    assert band_levels(torch.zeros(8000), frames=10, sample_rate=RATE).tolist() == [[-70.0] * level.shape[1]] * 10


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (torch.zeros(2, 100), r"\(2, 100\)"),
        (torch.zeros(101), "multiple of 10"),
        (torch.zeros(100, dtype=torch.int16), "int16"),
        (torch.full((100,), 3.0), "reaches 3"),
        (torch.full((100,), math.nan), "nan"),
    ],
)
def test_wrong_sounds_are_refused(wave: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        band_levels(wave, frames=10, sample_rate=RATE)


def test_av_align_by_hand() -> None:
    # 9 and 10 agree, 20 and 20 too; 31 and 40 stand alone: 2 of 4.
    assert av_align([10, 20, 31], [9, 20, 40]) == 0.5
    # One peak serves one onset only.
    assert av_align([10], [9, 11]) == 0.5
    assert av_align([10, 20], [10, 20]) == 1.0


def test_beat_alignment_by_hand() -> None:
    # Onset 10 is 3 frames from its nearest peak, 20 is met.
    assert beat_alignment([13, 20], [10, 20]) == pytest.approx((math.exp(-0.5) + 1) / 2)
    assert beat_alignment([4], [10]) == pytest.approx(math.exp(-2))


@pytest.mark.parametrize("metric", [av_align, beat_alignment])
def test_one_without_the_other_scores_zero_and_neither_nothing(metric) -> None:  # type: ignore[no-untyped-def]
    assert metric([], [10]) == 0.0
    assert metric([10], []) == 0.0
    assert metric([], []) is None


def test_the_real_video_goes_best_with_its_sound() -> None:
    events = [12, 30, 47, 71, 90]
    onsets = sound_onsets(clicks(events), frames=100, sample_rate=RATE)
    real, late = motion_peaks(flashes(events)), motion_peaks(flashes([event + 7 for event in events]))
    assert (av_align(real, onsets), beat_alignment(real, onsets)) == (1.0, 1.0)
    assert av_align(late, onsets) == 0.0
    assert beat_alignment(late, onsets) == pytest.approx(math.exp(-49 / 18))
