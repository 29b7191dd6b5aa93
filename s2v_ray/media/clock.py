"""One rational clock for picture and sound.

Frame t of a clip covers [start + t/fps, start + (t+1)/fps) and so do its samples; it shows what is
displayed at the middle of that interval.
"""

from fractions import Fraction

from s2v_ray.errors import UserError

# What people write for the NTSC rates, which are 1000/1001 of the round ones.
_NTSC = {
    "23.976": Fraction(24000, 1001),
    "23.98": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001),
    "59.94": Fraction(60000, 1001),
}


def parse_frame_rate(text: str) -> Fraction:
    """The exact frame rate that `text` names: "30", "25.0", "29.97" (30000/1001) or "30000/1001".

    Raises UserError `not_a_number` or `out_of_range` (it must be above zero).
    """
    try:
        frame_rate = _NTSC.get(text.strip()) or Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise UserError(
            "not_a_number", f"Frame rate '{text}' is not a number; write one such as 30, 25 or 30000/1001."
        ) from None
    if frame_rate <= 0:
        raise UserError("out_of_range", f"Frame rate '{text}' must be above zero; write one such as 30.")
    return frame_rate


def samples_per_frame(sample_rate: int, frame_rate: Fraction) -> int:
    """How many samples a frame lasts: sample_rate / frame_rate, which must be whole.

    Raises UserError `rates_not_divisible`, with the nearest rates that divide.
    """
    samples = sample_rate / frame_rate
    if sample_rate > 0 and samples.denominator == 1:
        return int(samples)
    # A sample rate divides by p/q frames a second exactly when it is a multiple of p (p, q coprime).
    step = frame_rate.numerator
    below, above = sample_rate // step * step, (sample_rate // step + 1) * step
    nearest = " or ".join(str(rate) for rate in (below, above) if rate > 0)
    whole = [Fraction(sample_rate, n) for n in (int(samples), int(samples) + 1) if n > 0 and sample_rate > 0]
    rates = " or ".join(str(rate) for rate in whole)
    raise UserError(
        "rates_not_divisible",
        f"A sample rate of {sample_rate} Hz does not divide by {frame_rate} frames a second "
        f"({float(samples):.3f} samples a frame); use a sample rate of {nearest} Hz"
        + (f", or a frame rate of {rates}." if rates else "."),
    )
