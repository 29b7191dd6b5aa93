"""The judge that learns to tell generated video from real."""

import numpy as np
import torch

from s2v_ray.evaluation import real_or_made
from s2v_ray.evaluation.real_or_made import Pair, chosen, taken_for_real


def pairs(sources: int, *, noise: float) -> list[Pair]:
    """Videos of moving stripes, larger than the squares that the judge learns from, and the same with noise."""
    random = np.random.default_rng(0)
    made_pairs = []
    for number in range(sources):
        phase, speed = random.uniform(0, 6), random.uniform(0.3, 0.6)
        wave = np.sin(np.arange(40)[None, :] / 3 + phase + speed * np.arange(12)[:, None])
        real = np.broadcast_to(wave[:, None, :, None], (12, 40, 40, 3)) * 80 + 128
        made = real + random.normal(0, noise, real.shape)
        both = [torch.from_numpy(video.clip(0, 255).astype(np.uint8)) for video in (made, real)]
        made_pairs.append(Pair(number, f"source-{number}", *both))
    return made_pairs


def test_what_is_plainly_made_is_never_taken_for_real():
    shares = taken_for_real(pairs(6, noise=40.0), seed=0)
    assert sorted(shares) == list(range(6))
    made, real = np.mean(list(shares.values()), axis=0)
    assert made < 0.1
    assert real > 0.9


def test_what_equals_the_real_video_is_taken_for_real_as_often(monkeypatch):
    monkeypatch.setattr(real_or_made, "_STEPS", 20)  # whatever the judge has learnt
    shares = taken_for_real(pairs(6, noise=0.0), seed=0)
    assert all(made == real for made, real in shares.values())


def test_too_few_sources_are_not_judged():
    assert taken_for_real(pairs(3, noise=40.0), seed=0) == {}
    assert taken_for_real([], seed=0) == {}


def test_the_clips_that_are_judged_are_spread_over_all():
    assert chosen(3) == {0, 1, 2}
    assert len(chosen(1000)) == 64
    assert {0, 999} <= chosen(1000)
