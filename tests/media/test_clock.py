"""Rates that divide, and those that don't."""

from fractions import Fraction

import pytest

from s2v_ray.errors import UserError
from s2v_ray.media.clock import parse_frame_rate, samples_per_frame


def test_samples_per_frame():
    assert samples_per_frame(44100, Fraction(30)) == 1470
    assert samples_per_frame(48000, Fraction(25)) == 1920
    assert samples_per_frame(30000, Fraction(30000, 1001)) == 1001


def test_rates_that_do_not_divide_are_refused_with_the_nearest_that_do():
    with pytest.raises(UserError) as caught:
        samples_per_frame(44100, Fraction(30000, 1001))
    assert caught.value.code == "rates_not_divisible"
    assert "30000 or 60000 Hz" in str(caught.value)
    with pytest.raises(UserError, match="44085 or 44100 Hz"):
        samples_per_frame(44099, Fraction(15))


@pytest.mark.parametrize(
    ("text", "rate"), [("30", Fraction(30)), ("29.97", Fraction(30000, 1001)), ("25/2", Fraction(25, 2))]
)
def test_frame_rates_as_people_write_them(text, rate):
    assert parse_frame_rate(text) == rate


@pytest.mark.parametrize("text", ["fast", "0", "-3", "30/0", ""])
def test_what_is_no_frame_rate_is_refused(text):
    with pytest.raises(UserError, match=f"'{text}'") as caught:
        parse_frame_rate(text)
    assert caught.value.code == ("out_of_range" if text in ("0", "-3") else "not_a_number")
