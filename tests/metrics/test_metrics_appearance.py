"""Appearance against values worked out by hand, and on videos built so that the answer is known."""

import math

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from s2v_ray.metrics.colour import chroma_difference, colour_error
from s2v_ray.metrics.flicker import flicker
from s2v_ray.metrics.l1 import l1
from s2v_ray.metrics.psnr import psnr
from s2v_ray.metrics.sharpness import sharpness
from s2v_ray.metrics.ssim import ssim
from s2v_ray.metrics.temporal_spectrum import temporal_spectrum_distance
from s2v_ray.metrics.video_motion import moving_mask


@pytest.fixture
def scene() -> Tensor:
    """A still, textured picture in whose left half stripes come and go: [40, 3, 24, 24]."""
    generator = torch.Generator().manual_seed(4)
    video = (torch.rand(1, 3, 24, 24, generator=generator) - 0.5).expand(40, 3, 24, 24).clone()
    video[:, :, :, 0:12:2] += 0.5 * torch.sin(torch.arange(40) * 0.7)[:, None, None, None]
    return video


def plain(*colours: tuple[float, float, float]) -> Tensor:
    """Frames of one colour each, given in [0, 1]: [T, 3, 16, 16]."""
    return (2 * torch.tensor(colours, dtype=torch.float32) - 1)[:, :, None, None].expand(-1, 3, 16, 16)


def test_what_moves_is_what_varies_by_more_than_six_levels() -> None:
    # Two pixels that alternate by 0.06 and by 0.04 around their means; one whose blue alone does, by 0.08: √(0.08²/3).
    video = torch.zeros(10, 3, 1, 3)
    video[::2, :, 0, 0], video[1::2, :, 0, 0] = 0.06, -0.06
    video[::2, :, 0, 1], video[1::2, :, 0, 1] = 0.04, -0.04
    video[::2, 2, 0, 2], video[1::2, 2, 0, 2] = 0.08, -0.08
    assert moving_mask(video).tolist() == [[True, False, False]]


def test_a_frozen_video_moves_nowhere(scene: Tensor) -> None:
    assert not moving_mask(scene[:1].expand_as(scene)).any()
    assert moving_mask(scene)[:, 0:12:2].all()
    assert not moving_mask(scene)[:, 12:].any()


def test_errors_over_some_pixels_by_hand() -> None:
    # Of two pixels the first is off by 0.2 of [-1, 1], so by 0.1 of [0, 1]: MSE 0.01, 20 dB.
    real = torch.zeros(2, 1, 1, 2)
    generated = torch.tensor([0.2, 0.0]).expand(2, 1, 1, 2)
    first, second = torch.tensor([[True, False]]), torch.tensor([[False, True]])
    assert l1(generated, real, where_HW=first) == pytest.approx(0.1)
    assert l1(generated, real, where_HW=second) == 0.0
    assert psnr(generated, real, where_HW=first) == pytest.approx(20)
    assert psnr(generated, real, where_HW=second) == 100.0


def test_ssim_is_torchmetrics(scene: Tensor) -> None:
    noise = 0.1 * torch.randn(scene.shape, generator=torch.Generator().manual_seed(0))
    generated = (scene + noise).clamp(-1, 1)
    theirs = structural_similarity_index_measure((generated[1::3] + 1) / 2, (scene[1::3] + 1) / 2, data_range=1.0)
    assert ssim(generated, scene) == pytest.approx(theirs.item(), abs=1e-5)


def test_ssim_of_a_single_frame(scene: Tensor) -> None:
    assert ssim(scene[:1], scene[:1]) == pytest.approx(1.0)


def test_ssim_over_some_pixels_sees_nothing_beyond_its_window(scene: Tensor) -> None:
    generated = scene.clone()
    generated[..., 12:] *= -1
    untouched = torch.zeros(24, 24, dtype=torch.bool)
    untouched[:, :7] = True  # the window reaches 5 pixels further, to 11
    assert ssim(generated, scene, where_HW=untouched) == pytest.approx(1.0, abs=1e-5)
    assert ssim(generated, scene, where_HW=~untouched) < 0.5


@pytest.mark.parametrize("metric", [l1, psnr, ssim, sharpness])
def test_over_nothing_there_is_no_score(metric, scene: Tensor) -> None:  # type: ignore[no-untyped-def]
    nothing = torch.zeros(24, 24, dtype=torch.bool)
    assert metric(scene, scene, where_HW=nothing) is None
    with pytest.raises(ValueError, match=r"bool \(24, 24\)"):
        metric(scene, scene, where_HW=torch.zeros(24, 23, dtype=torch.bool))


def test_colour_error_of_red_for_green_by_hand() -> None:
    # sRGB's red has L* 53.24, its green 87.73, and they are 86.608 apart by CIEDE2000 (from tables). Without lightness:
    by_lightness = (87.73 - 53.24) / (1 + 0.015 * 20.485**2 / math.sqrt(20 + 20.485**2))
    red, green = plain((1, 0, 0)), plain((0, 1, 0))
    assert colour_error(red, green) == pytest.approx(math.sqrt(86.608**2 - by_lightness**2), abs=0.05)


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ((2.6772, -79.7751), (0, -82.7485), 2.0425),
        ((3.1571, -77.2803), (0, -82.7485), 2.8615),
        ((2.8361, -74.0200), (0, -82.7485), 3.4412),
        ((-1.3802, -84.2814), (0, -82.7485), 1.0000),
        ((0, 0), (-1, 2), 2.3669),
        ((2.4900, -0.0010), (-2.4900, 0.0009), 7.1792),
        ((2.4900, -0.0010), (-2.4900, 0.0011), 7.2195),
        ((-0.0010, 2.4900), (0.0011, -2.4900), 4.7461),
        ((2.5, 0), (0, -2.5), 4.3065),
    ],
)
def test_differences_of_colours_are_those_that_sharma_published(one, other, difference) -> None:  # type: ignore[no-untyped-def]
    # Pairs of one lightness in table 1 of Sharma, Wu and Dalal 2005.
    one, other = (torch.tensor(colour, dtype=torch.float64).reshape(1, 2, 1, 1) for colour in (one, other))
    assert chroma_difference(one, other).item() == pytest.approx(difference, abs=1e-4)
    assert chroma_difference(other, one).item() == pytest.approx(difference, abs=1e-4)
    assert chroma_difference(one, one).item() == 0


def test_colour_error_is_averaged_over_frames() -> None:
    once, twice = plain((1, 0, 0), (0, 1, 0)), plain((0, 1, 0), (0, 1, 0))
    assert colour_error(once, twice) == pytest.approx(colour_error(once[:1], twice[:1]) / 2, rel=1e-6)


def test_greys_have_one_colour() -> None:
    assert colour_error(plain((0.2, 0.2, 0.2)), plain((0.9, 0.9, 0.9))) == pytest.approx(0, abs=0.05)


def test_flicker_by_hand() -> None:
    # Two still pixels, of which one goes up and down by 0.1 of [-1, 1]: 0.05 of [0, 1], halved; the third moves.
    video = torch.zeros(9, 1, 1, 3)
    video[::2, 0, 0, 0] = 0.1
    video[::2, 0, 0, 2] = 1.0
    still = torch.tensor([[True, True, False]])
    assert flicker(video, still_HW=still) == pytest.approx(0.025)
    assert flicker(video[:1].expand_as(video), still_HW=still) == 0.0
    assert flicker(video, still_HW=torch.zeros_like(still)) is None


def test_half_the_contrast_is_one_octave_less_sharp(scene: Tensor) -> None:
    assert sharpness(scene / 2, scene) == pytest.approx(-1)
    assert sharpness(scene, scene / 2) == pytest.approx(1)


def test_sharpness_of_stripes_by_hand() -> None:
    # Steps of 1 to the right in every column, against steps of 1 in every second one.
    fine, coarse = torch.zeros(1, 1, 4, 9), torch.zeros(1, 1, 4, 9)
    fine[..., 1::2] = 1.0
    coarse[..., 2::4], coarse[..., 3::4] = 1.0, 1.0
    assert sharpness(coarse, fine) == pytest.approx(-1)


def test_flat_frames_have_no_sharpness(scene: Tensor) -> None:
    flat = torch.zeros_like(scene)
    assert sharpness(flat, scene) is None
    assert sharpness(scene, flat) is None


def test_temporal_spectrum_by_hand() -> None:
    # A Hann window spreads a whole number of periods over three of the 32 frequencies, with powers ¼, 1 and ¼.
    wave = torch.sin(torch.arange(64) * 2 * math.pi * 10 / 64)[:, None, None, None].expand(64, 3, 8, 8)
    floor = (2 / 255) ** 2
    difference = [10 * math.log10((0.25 * w + floor) / (0.0025 * w + floor)) for w in (0.25, 1, 0.25)]
    expected = math.sqrt(sum(value**2 for value in difference) / 32)
    assert temporal_spectrum_distance(0.05 * wave, 0.5 * wave) == pytest.approx(expected, abs=1e-3)


def test_temporal_spectrum_is_not_of_when() -> None:
    frames = torch.arange(64) * 2 * math.pi / 64
    early, late = (torch.sin(6 * frames + phase)[:, None, None, None].expand(64, 1, 8, 8) for phase in (0.0, 1.3))
    assert temporal_spectrum_distance(0.5 * early, 0.5 * late) == pytest.approx(0, abs=1e-3)


def test_temporal_spectrum_is_of_pixels_but_not_of_where() -> None:
    wave = 0.5 * torch.sin(torch.arange(64) * 2 * math.pi * 6 / 64)[:, None, None, None].expand(64, 1, 8, 8)
    left, right = torch.zeros(8, 8), torch.zeros(8, 8)
    left[:, :4] = right[:, 4:] = 1
    assert temporal_spectrum_distance(wave * left, wave * right) == pytest.approx(0, abs=1e-3)
    # Neighbours that change against each other have no mean that changes, but flicker.
    checks = (-1.0) ** (torch.arange(8)[:, None] + torch.arange(8))
    assert temporal_spectrum_distance(wave * checks, wave) == pytest.approx(0, abs=1e-3)
    assert temporal_spectrum_distance(wave * checks, torch.zeros_like(wave)) > 5


def test_the_real_video_scores_best(scene: Tensor) -> None:
    blurred = scene.clone()
    blurred[..., 1:-1] = (scene[..., 2:] + scene[..., :-2]) / 2
    frozen, moving = scene[:1].expand_as(scene), moving_mask(scene)
    for other in (blurred, frozen):
        assert l1(scene, scene) == l1(scene, scene, where_HW=moving) == 0.0 < l1(other, scene, where_HW=moving)
        assert psnr(scene, scene, where_HW=moving) == 100.0 > psnr(other, scene, where_HW=moving)
        assert ssim(other, scene, where_HW=moving) < 0.99 < ssim(scene, scene, where_HW=moving)
        assert colour_error(scene, scene) == 0.0 < colour_error(other, scene)
        assert temporal_spectrum_distance(scene, scene) == 0.0 < temporal_spectrum_distance(other, scene)
    assert sharpness(scene, scene) == 0.0
    assert sharpness(blurred, scene, where_HW=moving) < -0.2
    assert flicker(scene, still_HW=~moving) == 0.0


def test_neither_length_nor_layout_in_memory_matters() -> None:
    generator = torch.Generator().manual_seed(0)
    video, real = (2 * torch.rand(9, 3, 12, 14, generator=generator) - 1 for _ in range(2))
    still = torch.rand(12, 14, generator=generator) < 0.5
    change = video.diff(dim=0)[..., still].abs().mean().item() / 2

    def gradient(of: Tensor) -> float:
        return (of.diff(dim=3)[:, :, :-1].square() + of.diff(dim=2)[..., :-1].square()).sqrt().mean().item()

    as_bytes = video.to(memory_format=torch.channels_last)
    for laid_out in (video, as_bytes):
        assert flicker(laid_out, still_HW=still) == pytest.approx(change, rel=1e-6)
        assert sharpness(laid_out, real) == pytest.approx(math.log2(gradient(video) / gradient(real)), abs=1e-6)
    assert l1(as_bytes, real) == pytest.approx(l1(video, real), rel=1e-12)
