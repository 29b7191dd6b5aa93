"""What is remembered of a video holds only for that video as it is."""

import pytest
import torch

from s2v_ray.metrics.l1 import l1
from s2v_ray.metrics.memo import once_per_video
from s2v_ray.metrics.video_motion import video_motion_energy


def test_a_video_is_computed_once_and_again_after_a_change_in_place():
    calls = []

    @once_per_video
    def total(video: torch.Tensor, factor: int = 1) -> float:
        calls.append(factor)
        return video.sum().item() * factor

    video, equal = torch.ones(2, 3), torch.ones(2, 3)
    assert [total(video), total(video), total(video, 2), total(equal)] == [6, 6, 12, 6]
    assert calls == [1, 2, 1]
    video.mul_(3)
    assert total(video) == 18


def test_metrics_see_a_changed_video_and_refuse_it_if_it_became_invalid():
    video = torch.zeros(4, 3, 12, 12, dtype=torch.float64)
    still = torch.zeros_like(video)
    assert l1(video, still) == 0
    video[2] = 0.5
    assert l1(video, still) == pytest.approx(0.5 / 4 / 2)
    assert video_motion_energy(video).tolist() == [0, 0.5, 0.5]
    video[2] = 7.0
    with pytest.raises(ValueError, match="7"):
        l1(video, still)
