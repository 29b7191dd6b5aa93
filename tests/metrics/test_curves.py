"""Motion, loudness, correlation and lag of curves, against values worked out by hand."""

import math
import subprocess
import sys

import numpy as np
import pytest

from s2v_ray.metrics.correlation import circular_correlations, pearson
from s2v_ray.metrics.lag import best_lag, lag_correlations, sound_lag
from s2v_ray.metrics.loudness import loudness_between_frames, loudness_db, power_in_frames
from s2v_ray.metrics.motion import motion_energy


def test_they_need_no_torch() -> None:
    """Each task of a cluster that prepares a source imports them."""
    code = "import sys, s2v_ray.preparation.prepare; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_motion_energy_of_bytes_does_not_wrap_round() -> None:
    assert motion_energy(np.array([[0, 250], [255, 240]], np.uint8)).tolist() == [(255 + 10) / 2]


def test_loudness_by_hand() -> None:
    # Four frames of two samples; the changes of frame lie amid samples 1-2, 3-4 and 5-6.
    wave = np.array([16384, 0, 16384, 16384, 0, 0, 0, 0], np.int16)
    assert power_in_frames(wave, 4).tolist() == [1 / 8, 1 / 4, 0, 0]
    assert loudness_between_frames(wave, 4).tolist() == pytest.approx([10 * math.log10(1 / 8)] * 2 + [-100])
    assert loudness_db(wave) == pytest.approx(10 * math.log10(3 / 4 / 8))
    assert loudness_db(0 * wave) == -100


def test_pearson_is_undefined_for_flat_curves() -> None:
    curve = np.array([0.0, 1, 2])
    assert pearson(curve, curve[::-1]) == -1
    assert pearson(curve, 0 * curve) is None


def test_a_circular_shift_is_found_in_its_row() -> None:
    reference = np.random.default_rng(0).normal(size=20)
    found = circular_correlations(np.stack([np.roll(reference, 3), np.ones(20)], axis=1), reference)
    assert found[:, 0].argmax() == 3
    assert found[3, 0] == pytest.approx(1)
    assert not found[:, 1].any()


def test_lags_reach_as_far_as_half_of_the_curves_overlaps() -> None:
    late, reference = np.array([0.0, 0, 1, 0, 0, 0]), np.array([0.0, 1, 0, 0, 0, 0])
    assert len(lag_correlations(late, reference, 45)) == 2 * 3 + 1
    found = best_lag(late, reference)
    assert found is not None
    assert (found.frames, found.correlation) == (1, pytest.approx(1))
    assert best_lag(late, 0 * reference) is None
    assert best_lag(late[:2], reference[:2]) is None


def test_sound_after_motion_is_a_positive_lag() -> None:
    motion = np.full(119, 0.001)
    loudness = np.full(119, -50.0)
    for event in (30, 47, 80):
        motion[event : event + 3] = 0.05
        loudness[event + 7 : event + 10] = -10
    correlation, lag, confidence = sound_lag(motion, loudness)
    assert lag == 7
    assert correlation < 0.1
    assert confidence > 0.4
    assert sound_lag(loudness + 50, 1000 * motion)[1] == -7
    assert sound_lag(motion, np.full(119, -100.0)) == (0.0, 0, 0.0)
