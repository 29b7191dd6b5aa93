"""One rational clock for picture and sound.

Frame t of a clip and its samples cover [start + t/fps, start + (t+1)/fps); it shows the middle of that interval.
"""

from fractions import Fraction

from s2v_ray.errors import UserError

# What people write for the NTSC rates, which are 1000/1001 of these.
_NTSC = {"23.976": 24, "23.98": 24, "29.97": 30, "59.94": 60}


def parse_frame_rate(text: str) -> Fraction:
    """The exact frame rate that `text` names: "30", "25.0", "29.97" (30000/1001) or "30000/1001".

    Raises UserError `not_a_number` or `out_of_range` (it must be above zero).
    """
    name = text.strip()
    try:
        if "e" in name.lower():  # 1e9999999999 would take all memory
            raise ValueError
        frame_rate = Fraction(1000 * _NTSC[name], 1001) if name in _NTSC else Fraction(name)
    except (ValueError, ZeroDivisionError):
        raise UserError("not_a_number", f"Frame rate '{text}' is not a number; write 30, 25 or 30000/1001.") from None
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
    below = sample_rate // frame_rate.numerator * frame_rate.numerator
    sample_rates = " or ".join(str(rate) for rate in (below, below + frame_rate.numerator) if rate > 0)
    frame_rates = [str(Fraction(sample_rate, n)) for n in (int(samples), int(samples) + 1) if min(n, sample_rate) > 0]
    raise UserError(
        "rates_not_divisible",
        f"A sample rate of {sample_rate} Hz does not divide by {frame_rate} frames a second "
        f"({float(samples):.3f} samples a frame); use a sample rate of {sample_rates} Hz"
        + (f", or a frame rate of {' or '.join(frame_rates)}." if frame_rates else "."),
    )
