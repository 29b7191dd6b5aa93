"""How long clips are, and at what rate, where the videos decide."""

from fractions import Fraction

import pytest

from s2v_ray.dataset.settings import clip_settings
from s2v_ray.preparation.clip_format import Length, choose_clip_format


def lengths(seconds: str, frame_rate: str, count: int = 10) -> list[Length]:
    return [Length(Fraction(seconds), Fraction(frame_rate))] * count


@pytest.mark.parametrize(
    ("videos", "rate", "frames"),
    [
        (lengths("2.978", "25"), "25", 70),  # GRID: 0.95 · 2.978 s hold 14 fifths of a second
        (lengths("4", "30"), "30", 120),
        (lengths("60", "30000/1001"), "30", 120),
        (lengths("60", "24"), "30", 120),  # 44,100 Hz don't divide by 24
        (lengths("60", "50"), "30", 120),
        (lengths("60", "25", 8) + lengths("60", "30", 2), "30", 120),  # no rate of nine in ten
        (lengths("60", "25", 8) + lengths("2", "25", 2), "25", 100),  # four of five are long enough
        (lengths("60", "25", 7) + lengths("2", "25", 3), "25", 45),
        (lengths("0.5", "25"), "25", 25),  # a second at least
        (lengths("28", "30", 2), "30", 60),  # little video: shorter clips
        (lengths("60", "25", 2), "25", 100),
        (lengths("1.5", "25", 2), "25", 35),
        ([], "30", 120),
    ],
)
def test_clips_are_as_long_and_as_fast_as_most_videos(videos, rate, frames):
    chosen, sentence = choose_clip_format(clip_settings(), videos)
    assert (chosen.frame_rate, chosen.frames, chosen.auto) == (rate, frames, ())
    assert bool(sentence) == ((rate, frames) != ("30", 120))


def test_what_is_given_is_kept():
    chosen, sentence = choose_clip_format(clip_settings(clip_seconds=2, frame_rate="30"), lengths("1", "25"))
    assert (chosen.frame_rate, chosen.frames, sentence) == ("30", 60, "")
    chosen, _ = choose_clip_format(clip_settings(clip_seconds=2), lengths("1", "25"))
    assert (chosen.frame_rate, chosen.frames) == ("25", 50)
    chosen, _ = choose_clip_format(clip_settings(clip_seconds=2.5), lengths("9", "25"))
    assert chosen.frame_rate == "30"  # 2.5 s are no whole frames at 25
    given = clip_settings(frame_rate="29.97", sample_rate=30000)  # four seconds are 119.88 frames
    for videos in ([], lengths("9", "25")):
        chosen, _ = choose_clip_format(given, videos)
        assert (chosen.frame_rate, chosen.frames) == ("30000/1001", 120)
    for rate in ("24", "24000/1001"):
        chosen, _ = choose_clip_format(clip_settings(sample_rate=48000), lengths("9", rate))
        assert (chosen.frame_rate, chosen.frames) == ("24", 96)
