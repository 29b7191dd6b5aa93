"""The nearest-sound control, and whether a video repeats training clips."""

import numpy as np
import pytest
import torch

from s2v_ray.dataset.reader import Clip
from s2v_ray.evaluation.retrieval import motion, nearest_sound, play_over, read_training_clips, training_distance
from s2v_ray.evaluation.scores import ClipScores, memorisation


def clip(name: str, hertz: float, at: int, level: int = 9000) -> Clip:
    """Grey frames [12, 36, 36] in which one square is bright in three frames, and a tone sounds in these."""
    frames = np.full((12, 36, 36, 3), 100, np.uint8)
    frames[at : at + 3, 8:24, 8:24] = 200
    wave = np.zeros((12, 800))
    wave[at : at + 3] = level * np.sin(np.arange(800) * 2 * np.pi * hertz / 24000)
    return Clip(name, name, 0.0, frames, wave.ravel().astype(np.int16))


CLIPS = [clip("low early", 200, 1), clip("low late", 200, 8), clip("high early", 3000, 1), clip("high late", 3000, 8)]


@pytest.fixture(scope="module")
def training():
    return read_training_clips(CLIPS, sample_rate=24000, resolution=32, seed=0)


def test_the_nearest_sound_is_alike_in_pitch_and_in_time_and_never_its_own(training):
    assert nearest_sound(training, clip("x", 200, 1, level=5000)).clip_id == "low early"
    assert nearest_sound(training, clip("x", 3000, 8, level=5000)).clip_id == "high late"
    assert nearest_sound(training, CLIPS[0]).clip_id != "low early"
    alone = read_training_clips(CLIPS[:1], sample_rate=24000, resolution=32, seed=0)
    assert nearest_sound(alone, CLIPS[0]) is None
    assert read_training_clips([], sample_rate=24000, resolution=32, seed=0) is None


def test_the_motion_of_one_video_is_played_over_the_image_of_another():
    real, other = torch.full((3, 3, 4, 4), -0.6), torch.full((3, 3, 4, 4), 0.2)
    other[1], other[2] = 0.6, -1.0
    # Levels are 2 / 255 apart; below -1 is black.
    assert play_over(real, other)[:, 0, 0, 0].tolist() == pytest.approx([-0.6, -0.2, -1], abs=1 / 255)


def test_training_distances_by_hand(training):
    picture = torch.rand(1, 3, 32, 32, generator=torch.manual_seed(0)) * 0.5

    def flash(frames: list[int], height: float) -> torch.Tensor:
        video = picture.expand(12, 3, 32, 32).clone()
        video[frames, :, 6:22, 6:22] += height  # the square after the crop of 32 of 36
        return video

    other = clip("x", 200, 1)
    # A copy over another image, though a weak one.
    assert training_distance(training, flash([1, 2, 3], 0.1), other) == pytest.approx(0, abs=1e-3)
    # One of three frames in common: the cosine of three equal entries with three is a third.
    assert training_distance(training, flash([3, 4, 5], 0.4), other) == pytest.approx(2 / 3, abs=1e-3)
    assert training_distance(training, flash([4, 5, 6], 0.4), other) == pytest.approx(1, abs=1e-3)
    assert training_distance(training, flash([], 0.4), other) is None
    assert motion(flash([1, 2, 3], 0.4)).norm() == pytest.approx(1)


def test_memorisation_by_hand():
    def scored(source: str, model: float | None, real: float) -> ClipScores:
        scores = {"model": {"training_distance": model}, "real video": {"training_distance": real}}
        return ClipScores(source, "id", scores, 0.0)

    found = memorisation([scored("a", 0.1, 0.5), scored("a", 0.5, 0.5), scored("b", 0.9, 0.8), scored("b", None, 1)], 0)
    assert found.ratio.mean == pytest.approx(1.5 / 1.8)
    assert (found.ratio.count, found.nearer.mean) == (2, 0.25)
    assert memorisation([scored("a", None, 0.5)], 0) is None
