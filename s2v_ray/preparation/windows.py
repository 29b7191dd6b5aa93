"""Where in a source its clips start."""

import hashlib
from fractions import Fraction

import numpy as np

from s2v_ray.dataset.settings import ClipSettings


def window_starts(source: str, begin: Fraction, end: Fraction, settings: ClipSettings) -> list[Fraction]:
    """Sorted starts, in seconds, of the windows that lie within [begin, end] of `source`.

    Starts are whole frames of the clip's rate, counted from time zero, so that they are exact in a float.
    Sliding: begin, begin + stride, ... At random: `clips_per_source` starts drawn without repetition, fewer where
    the source has fewer; the draw depends on the seed and the source alone.
    """
    first = -(-begin * settings.rate // 1)  # rounded up to a whole frame
    last = end * settings.rate // 1 - settings.frames
    if last < first:
        return []
    if settings.stride_seconds > 0:
        stride = max(1, round(Fraction(str(settings.stride_seconds)) * settings.rate))
        chosen = range(int(first), int(last) + 1, stride)
        return [frame / settings.rate for frame in chosen]
    digest = hashlib.sha256(f"{settings.seed}\n{source}".encode()).digest()
    random = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
    choices = int(last - first) + 1
    drawn = random.choice(choices, size=min(settings.clips_per_source, choices), replace=False)
    return [(int(first) + int(frame)) / settings.rate for frame in sorted(drawn)]
