"""The paper's equations 1 to 5 against values computed by hand."""

from math import log

import pytest
import torch

from s2v_ray.losses import (
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    reconstruction_loss,
)

# sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, sigmoid(0) = 1/2.
REAL, UNSURE, FAKE = log(3), 0.0, -log(3)


def test_equations_3_and_4():
    # D(real) = 3/4 and 1/2, D(fake) = 1/4: −(ln 3/4 + ln 1/2)/2 − ln(1 − 1/4).
    loss = discriminator_loss(torch.tensor([REAL, UNSURE]), torch.tensor([FAKE]))
    assert loss.item() == pytest.approx(-(log(3 / 4) + log(1 / 2)) / 2 - log(3 / 4))


def test_an_undecided_discriminator_loses_2_ln_2():
    assert discriminator_loss(torch.zeros(4, 7), torch.zeros(4, 7)).item() == pytest.approx(2 * log(2))


def test_the_adversarial_loss():
    fake = torch.tensor([REAL, FAKE])
    # Saturating: E log(1 − D) with D = 3/4, 1/4. Non-saturating: −E log D.
    assert adversarial_loss(fake, "saturating").item() == pytest.approx((log(1 / 4) + log(3 / 4)) / 2)
    assert adversarial_loss(fake, "non_saturating").item() == pytest.approx(-(log(3 / 4) + log(1 / 4)) / 2)
    with pytest.raises(ValueError, match="must be 'saturating'"):
        adversarial_loss(fake, "hinge")


def test_equation_5_is_a_mean_over_all_frames():
    generated = torch.tensor([[0.0, 1.0], [-1.0, 0.5]])
    real = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    assert reconstruction_loss(generated, real, "l1").item() == pytest.approx((0 + 1 + 2 + 0.5) / 4)
    assert reconstruction_loss(generated, real, "l2").item() == pytest.approx((0 + 1 + 4 + 0.25) / 4)
    with pytest.raises(ValueError, match="must be equal"):
        reconstruction_loss(generated, real[0], "l1")


def test_equations_1_and_2_weight_and_add():
    loss = generator_loss(
        {"image": torch.tensor(0.5), "video": torch.tensor(0.75)},
        {"image": 2.0, "video": 3.0},
        torch.tensor(0.25),
        reconstruction_weight=100.0,
    )
    assert loss.item() == 2 * 0.5 + 3 * 0.75 + 25


def test_gradients_have_the_right_sign():
    fake = torch.tensor([0.3], requires_grad=True)
    for kind in ("saturating", "non_saturating"):
        (gradient,) = torch.autograd.grad(adversarial_loss(fake, kind), fake)
        assert gradient.item() < 0  # a higher logit is better for G
    (gradient,) = torch.autograd.grad(discriminator_loss(torch.zeros(1), fake), fake)
    assert gradient.item() > 0  # and worse for D


def test_feature_matching_is_relative_to_what_the_real_frames_show():
    # Two maps of one sample, which differ by 1 where the real one's mean is 2, and by 3 where it is 4.
    real = [torch.full((1, 1, 8, 8), 2.0), torch.full((1, 3, 4, 4), 4.0)]
    fake = [torch.full((1, 1, 8, 8), 3.0), torch.full((1, 3, 4, 4), 1.0)]
    assert feature_matching_loss(fake, real).item() == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert feature_matching_loss(real, real).item() == 0
    # With a second sample, whose map differs by 1 from 10, the mean of both.
    two = feature_matching_loss(
        [torch.cat([fake[0], torch.full((1, 1, 8, 8), 9.0)])], [torch.cat([real[0], torch.full((1, 1, 8, 8), 10.0)])]
    )
    assert two.item() == pytest.approx((1 / 2 + 1 / 10) / 2)


def test_feature_matching_asks_what_is_in_a_cell_and_not_where_in_it():
    def spark(y: int, x: int, frames: int = 0) -> torch.Tensor:
        map_NCHW = torch.zeros(1, 1, 8, 8)  # cells of 2 x 2
        map_NCHW[..., y, x] = 4.0
        return map_NCHW.unsqueeze(2).expand(-1, -1, frames, -1, -1) if frames else map_NCHW

    assert feature_matching_loss([spark(1, 1)], [spark(0, 0)]).item() == 0
    # One cell too little and one too much, of a mean that one cell makes.
    assert feature_matching_loss([spark(0, 2)], [spark(0, 0)]).item() == pytest.approx(2)
    assert feature_matching_loss([spark(0, 2, frames=3)], [spark(0, 0, frames=3)]).item() == pytest.approx(2)
