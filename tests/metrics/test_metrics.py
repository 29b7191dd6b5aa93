"""Metrics against values worked out by hand, and on videos built so that the answer is known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from s2v_ray.metrics.bootstrap import Interval, interval
from s2v_ray.metrics.l1 import l1
from s2v_ray.metrics.lag import Lag, best_lag
from s2v_ray.metrics.motion_explained import motion_explained, squared_error
from s2v_ray.metrics.psnr import psnr
from s2v_ray.metrics.ssim import ssim
from s2v_ray.metrics.video_motion import lag_frames, motion_correlation, video_motion_energy


def one_pixel(*values: float) -> Tensor:
    """A grey video of one pixel [T, 1, 1, 1]."""
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1, 1)


def moving_square(positions: Tensor) -> Tensor:
    """A white 6x6 square on black at these columns of a 24x24 picture: [T, 3, 24, 24] float32."""
    video = torch.full((len(positions), 3, 24, 24), -1.0)
    for frame, column in zip(video, positions.tolist(), strict=True):
        frame[:, 9:15, column : column + 6] = 1.0
    return video


@pytest.fixture
def long_walk() -> Tensor:
    """Columns 0 .. 18 of a square that stops and goes at random, for 120 frames and 10 on either side."""
    generator = torch.Generator().manual_seed(3)
    steps = torch.randint(-4, 5, (140,), generator=generator) * (torch.rand(140, generator=generator) < 0.5)
    position, positions = 9, []
    for step in steps.tolist():
        position = min(max(position + step, 0), 18)
        positions.append(position)
    return torch.tensor(positions)


@pytest.fixture
def walk(long_walk: Tensor) -> Tensor:
    return moving_square(long_walk[10:130])


def test_motion_energy_is_the_mean_absolute_step() -> None:
    # Two pixels: the first goes -1, 0, 0 and the second 1, 0.5, -1; means of (1, 0.5) and (0, 1.5).
    video = torch.tensor([[-1.0, 1.0], [0.0, 0.5], [0.0, -1.0]]).reshape(3, 1, 1, 2)
    assert video_motion_energy(video).tolist() == [0.75, 0.75]


def test_motion_energy_averages_channels() -> None:
    # Only one of three channels moves, by 0.75.
    video = torch.zeros(2, 3, 1, 1)
    video[1, 2] = 0.75
    assert video_motion_energy(video).tolist() == [0.25]


def test_motion_correlation_by_hand() -> None:
    # Energies (1, 0, 1, 0) and (1, 0, 0, 0): covariance 1/8, deviations 1/2 and sqrt(3)/4, so 1/sqrt(3).
    real = one_pixel(0, 1, 1, 0, 0)
    generated = one_pixel(0, -1, -1, -1, -1)
    assert motion_correlation(generated, real) == pytest.approx(1 / math.sqrt(3), abs=1e-12)


def test_motion_correlation_ignores_strength_and_direction() -> None:
    real = one_pixel(0, 0.8, 0.8, 0.4)
    assert motion_correlation(one_pixel(0.5, 0.3, 0.3, 0.4), real) == pytest.approx(1.0)


def test_opposite_motion_correlates_by_minus_one() -> None:
    assert motion_correlation(one_pixel(0, 0, 1, 1), one_pixel(0, 1, 1, 0)) == pytest.approx(-1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_undefined_motion_correlation_counts_zero(walk: Tensor, dtype: torch.dtype) -> None:
    walk = walk.to(dtype)
    frozen = walk[:1].expand_as(walk)
    assert motion_correlation(frozen, walk) == 0.0
    assert motion_correlation(walk, frozen) == 0.0
    assert motion_correlation(frozen, frozen) == 0.0


def test_float_rounding_is_no_motion(walk: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    last_bits = 2.0**-24 * torch.randint(-1, 2, walk.shape, generator=generator)
    assert motion_correlation(0.5 * walk[:1] + last_bits, walk) == 0.0


def test_even_motion_is_flat_whatever_the_rounding() -> None:
    # The same step of 0.1, which no float holds exactly, in every frame.
    ramp = torch.linspace(-0.6, 0.6, 13).reshape(13, 1, 1, 1).expand(13, 3, 16, 16)
    assert motion_correlation(ramp, ramp) == 0.0


def test_the_real_video_scores_best_everywhere(walk: Tensor) -> None:
    frozen = walk[:1].expand_as(walk)
    assert motion_correlation(walk, walk) == pytest.approx(1.0)
    assert lag_frames(walk, walk) == Lag(0, pytest.approx(1.0))  # type: ignore[arg-type]
    assert l1(walk, walk) == 0.0 < l1(frozen, walk)
    assert psnr(walk, walk) == 100.0 > psnr(frozen, walk)
    assert ssim(walk, walk) == pytest.approx(1.0)
    assert ssim(frozen, walk) < 0.99
    error = squared_error(frozen, walk)
    assert motion_explained(model=squared_error(walk, walk), frozen=error, sound_blind=error) == 1.0


@pytest.mark.parametrize("delay", [7, -7, 0])
def test_a_delay_is_found(long_walk: Tensor, walk: Tensor, delay: int) -> None:
    late = moving_square(long_walk[10 - delay : 130 - delay])
    found = lag_frames(late, walk)
    assert found is not None
    assert found.frames == delay
    assert found.correlation == pytest.approx(1.0)
    if delay:
        assert motion_correlation(late, walk) < 0.5


def test_lag_by_hand() -> None:
    # Energies: real (0, 1, 0, 0, 0), generated (0, 0, 1, 0, 0).
    real, generated = one_pixel(0, 0, 1, 1, 1, 1), one_pixel(0, 0, 0, 1, 1, 1)
    assert lag_frames(generated, real) == Lag(1, pytest.approx(1.0))  # type: ignore[arg-type]
    assert lag_frames(real, generated) == Lag(-1, pytest.approx(1.0))  # type: ignore[arg-type]
    # Unshifted: both means 1/5, covariance -1/25, variances 4/25.
    energies = [video_motion_energy(video).numpy() for video in (generated, real)]
    assert best_lag(*energies, max_lag=0) == Lag(0, pytest.approx(-0.25))  # type: ignore[arg-type]


def test_lag_looks_no_further_than_half_of_the_curve() -> None:
    # One jump each, 6 apart, in curves of 8: a shift of 6 would leave 2 points; 4 is the furthest.
    real = one_pixel(*([0] * 2 + [1] * 7))
    generated = one_pixel(*([0] * 8 + [1]))
    found = lag_frames(generated, real)
    assert found is None or abs(found.frames) <= 4


def test_of_equal_lags_the_smallest_is_taken() -> None:
    # A pulse every third frame fits itself at 0, 3, -3, 6, ...; the same, one frame late, at 1, -2, 4, ...
    pulses = torch.tensor([0.0, 0, 1] * 8).reshape(-1, 1, 1, 1).cumsum(0) / 8
    same, late = lag_frames(pulses[1:], pulses[1:]), lag_frames(pulses[:-1], pulses[1:])
    assert same is not None
    assert same.frames == 0
    assert late is not None
    assert late.frames == 1


def test_lag_of_a_frozen_video_is_none(walk: Tensor) -> None:
    frozen = walk[:1].expand_as(walk)
    assert lag_frames(frozen, walk) is None
    assert lag_frames(walk, frozen) is None


def test_squared_error_is_a_sum() -> None:
    # (0.5)^2 + (-1)^2 + 0 over frames, over two equal channels.
    real, generated = one_pixel(0, 1, 1), one_pixel(0.5, 0, 1)
    assert squared_error(generated.expand(3, 2, 1, 1), real.expand(3, 2, 1, 1)) == 2.5


def test_motion_explained_takes_the_better_sound_blind_baseline() -> None:
    assert motion_explained(model=1.0, frozen=4.0, sound_blind=2.0) == 0.5
    assert motion_explained(model=1.0, frozen=2.0, sound_blind=4.0) == 0.5
    assert motion_explained(model=6.0, frozen=4.0, sound_blind=2.0) == -2.0
    assert motion_explained(model=1.0, frozen=4.0, sound_blind=4.0) == 0.75


def test_a_sound_blind_mean_explains_half_against_the_image_and_nothing_against_itself() -> None:
    # The pixel jumps to 1 and 0 in turn from an image of 0; a sound-blind mean is 0.5 throughout.
    real = one_pixel(0, 1, 0, 1, 0)
    frozen = squared_error(real[:1].expand_as(real), real)
    sound_blind = squared_error(one_pixel(0, 0.5, 0.5, 0.5, 0.5), real)
    assert motion_explained(model=sound_blind, frozen=frozen, sound_blind=frozen) == 0.5
    assert motion_explained(model=sound_blind, frozen=frozen, sound_blind=sound_blind) == 0.0


def test_a_still_source_counts_zero_whatever_the_model_does() -> None:
    still = one_pixel(0.2, 0.2, 0.2)
    frozen = squared_error(still[:1].expand_as(still), still)
    assert motion_explained(model=0.0, frozen=frozen, sound_blind=1.0) == 0.0
    assert motion_explained(model=3.0, frozen=frozen, sound_blind=1.0) == 0.0
    assert motion_explained(model=3.0, frozen=frozen, sound_blind=frozen) == 0.0


@pytest.mark.parametrize("error", [-1.0, math.nan, math.inf])
def test_motion_explained_refuses_what_is_no_error(error: float) -> None:
    with pytest.raises(ValueError, match="sound_blind"):
        motion_explained(model=1.0, frozen=1.0, sound_blind=error)


def test_l1_and_psnr_by_hand() -> None:
    # Off by 0.2 and 0 on [-1, 1], so by 0.1 and 0 on [0, 1]: MAE 0.05, MSE 0.005.
    real, generated = one_pixel(0, 0.5), one_pixel(0.2, 0.5)
    assert l1(generated, real) == pytest.approx(0.05)
    assert psnr(generated, real) == pytest.approx(10 * math.log10(200))


def test_psnr_of_opposites_is_zero_and_is_capped() -> None:
    assert psnr(one_pixel(-1, 1), one_pixel(1, -1)) == pytest.approx(0.0, abs=1e-6)
    assert psnr(one_pixel(0, 1e-9), one_pixel(0, 0)) == 100.0


def test_ssim_of_flat_frames_by_hand() -> None:
    # Without variance SSIM is (2ab + c) / (a² + b² + c), c = 0.01²; here a = 0.25, b = 0.75, then equal: 1.
    # Of six frames the second and the fifth count.
    levels = torch.tensor([0.9, -0.5, 0.9, 0.9, 0.5, 0.9])
    real = levels.reshape(6, 1, 1, 1).expand(6, 3, 16, 16)
    generated = torch.full((6, 3, 16, 16), 0.5)
    first = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert ssim(generated, real) == pytest.approx((first + 1) / 2, abs=5e-4)


def test_ssim_names_frames_too_small() -> None:
    with pytest.raises(ValueError, match="10x12"):
        ssim(torch.zeros(2, 3, 10, 12), torch.zeros(2, 3, 10, 12))


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (torch.zeros(3, 4, 4), r"\(3, 4, 4\)"),
        (torch.zeros(4, 3, 0, 4), "non-empty"),
        (torch.zeros(4, 3, 4, 4, dtype=torch.uint8), "uint8"),
        (torch.full((4, 3, 4, 4), 255.0), "255"),
        (torch.full((4, 3, 4, 4), math.nan), "nan"),
        (torch.zeros(1, 3, 4, 4), "at least 2"),
    ],
)
def test_wrong_videos_are_refused(video: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        video_motion_energy(video)


@pytest.mark.parametrize("metric", [motion_correlation, lag_frames, squared_error, l1, psnr, ssim])
def test_pairs_must_have_one_shape(metric) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"\(5, 3, 16, 16\).*\(6, 3, 16, 16\)"):
        metric(torch.zeros(5, 3, 16, 16), torch.zeros(6, 3, 16, 16))


def test_interval_of_two_values_by_hand() -> None:
    # Resampled means are 0, 1/2 and 1 with chances 1/4, 1/2 and 1/4: 95% spans all, 40% only the middle.
    assert interval([0.0, 1.0], seed=0) == Interval(0.5, 0.0, 1.0, 2)
    assert interval([0.0, 1.0], seed=0, level=0.4) == Interval(0.5, 0.5, 0.5, 2)


def test_interval_matches_the_normal_one_for_many_sources() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = interval(values.tolist(), seed=0)
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)
    assert found.count == 400


def test_interval_is_seeded() -> None:
    values = [0.1, 0.7, 0.3, 0.9, 0.2]
    assert interval(values, seed=5) == interval(values, seed=5)
    assert interval(values, seed=5, resamples=50) != interval(values, seed=6, resamples=50)


def test_one_source_has_no_interval() -> None:
    assert interval([0.4], seed=0) == Interval(0.4, None, None, 1)


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf]])
def test_interval_refuses_missing_values(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values_per_source"):
        interval(values, seed=0)
