"""Choosing how long clips are, and at what rate, by the videos."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from s2v_ray.dataset.settings import DEFAULT_FRAME_RATE, DEFAULT_SECONDS, ClipSettings

_RATES = (24, 25, 30)
_SHARE_OF_RATE = Fraction(9, 10)  # of the videos, that must have a rate for it to be chosen
_SHARE_OF_LENGTH = Fraction(4, 5)  # of the videos, that a clip must fit into
_ROOM = Fraction(19, 20)  # a clip lasts at most this much of such a video, so that it may start at several moments
_STEP_SECONDS, _LEAST_SECONDS = Fraction(1, 5), Fraction(1)
# Of little video, shorter clips leave more of them to train on beside those that are held out.
_FEW_VIDEOS, _LITTLE_SECONDS, _SHORT_SECONDS = 5, 120, Fraction(2)


@dataclass(frozen=True)
class Length:
    """How long a video's picture and sound last together, in seconds, and its frames a second."""

    seconds: Fraction
    frame_rate: Fraction


def choose_clip_format(settings: ClipSettings, lengths: Sequence[Length]) -> tuple[ClipSettings, str]:
    """Settings in which nothing is left to choose, and a sentence that says what was chosen and why ("" if nothing).

    The frame rate is that of nine of ten videos if it is 24, 25 or 30, divides the sample rate, and gives a clip whole
    frames; otherwise 30. A clip lasts 4 s (2 s if there are fewer than five videos of less than two minutes in all) if
    four of five videos do, and otherwise as many fifths of a second, at least five, as the shortest of these has, less
    a twentieth.
    """
    if not settings.auto or not lengths:
        return replace(settings, auto=()), ""
    chosen, seconds, reasons = settings, settings.seconds, []
    if "frame_rate" in settings.auto:
        rate = _common_rate(settings, lengths)
        chosen = replace(chosen, frame_rate=str(rate))
        if str(rate) != DEFAULT_FRAME_RATE:
            reasons.append("most videos are")
    if "clip_seconds" in settings.auto:
        durations = sorted((length.seconds for length in lengths), reverse=True)
        fits = durations[math.ceil(_SHARE_OF_LENGTH * len(durations)) - 1]
        seconds = Fraction(str(DEFAULT_SECONDS))
        if len(durations) < _FEW_VIDEOS and sum(durations) < _LITTLE_SECONDS:
            seconds = _SHORT_SECONDS
            reasons.append(f"there are only {float(sum(durations)):.3g} s of video")
        if fits < seconds:
            seconds = max(_LEAST_SECONDS, fits * _ROOM // _STEP_SECONDS * _STEP_SECONDS)
            reasons.append(f"four of five videos last at least {float(fits):.2f} s")
    chosen = replace(chosen, frames=round(seconds * chosen.rate), auto=())
    if not reasons:
        return chosen, ""
    what = f"Clips of {float(chosen.seconds):.3g} s at {float(chosen.rate):g} frames a second"
    return chosen, f"{what}, as {' and '.join(reasons)}."


def _common_rate(settings: ClipSettings, lengths: Sequence[Length]) -> int:
    rates = Counter(round(length.frame_rate) for length in lengths if _is_near_whole(length.frame_rate))
    rate, count = rates.most_common(1)[0] if rates else (0, 0)
    divides = rate in _RATES and settings.sample_rate % rate == 0
    is_whole = divides and ("clip_seconds" in settings.auto or (settings.seconds * rate).denominator == 1)
    return rate if is_whole and count >= _SHARE_OF_RATE * len(lengths) else int(DEFAULT_FRAME_RATE)


def _is_near_whole(rate: Fraction) -> bool:
    return abs(rate - round(rate)) < Fraction(1, 20)
