"""Where the clips of a source start."""

import hashlib
from fractions import Fraction

import numpy as np

from s2v_ray.dataset.settings import ClipSettings


def window_starts(source: str, start: Fraction, end: Fraction, settings: ClipSettings) -> list[Fraction]:
    """Sorted starts, in seconds, of windows within [start, end] of the source called `source`.

    Starts are whole frames of the clip's rate, counted from time zero, so that they are exact in a float. Sliding
    windows start at start, start + stride, ... Otherwise `clips_per_source` starts are drawn without replacement, fewer
    if the source is so short that they would be nearly the same: one, and one more for each quarter of a clip that the
    source is longer than a clip. The draw depends on the seed and the source alone.
    """
    first = -(-start * settings.rate // 1)  # rounded up to a whole frame
    last = end * settings.rate // 1 - settings.frames
    if last < first:
        return []
    if settings.stride_seconds > 0:
        stride = max(1, round(Fraction(str(settings.stride_seconds)) * settings.rate))
        return [frame / settings.rate for frame in range(int(first), int(last) + 1, stride)]
    digest = hashlib.sha256(f"{settings.seed}\n{source}".encode()).digest()
    random = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
    choices = int(last - first) + 1
    most = 1 + 4 * (choices - 1) // settings.frames
    drawn = random.choice(choices, size=min(settings.clips_per_source, most), replace=False)
    return [(int(first) + int(frame)) / settings.rate for frame in sorted(drawn)]
