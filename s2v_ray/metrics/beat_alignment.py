"""Does the video move when it sounds? By how far the nearest peak of motion is."""

import math
from collections.abc import Sequence

_SIGMA_FRAMES = 3.0


def beat_alignment(motion_peaks: Sequence[int], sound_onsets: Sequence[int]) -> float | None:
    """Mean over a sound's onsets of exp(−d² / 2σ²), d frames to the nearest peak of motion, σ = 3: in [0, 1].

    It is the beat alignment score of dance generation (Siyao et al. 2022), with peaks of motion for a dancer's rests.
    Both are frames of one clip, as `motion_peaks` and `sound_onsets` find them. 0 where only one of them is empty;
    None where both are. Superfluous motion costs nothing here: see `av_align`.
    """
    if not sound_onsets or not motion_peaks:
        return 0.0 if sound_onsets or motion_peaks else None
    nearest = [min(abs(onset - peak) for peak in motion_peaks) for onset in sound_onsets]
    return sum(math.exp(-(frames**2) / (2 * _SIGMA_FRAMES**2)) for frames in nearest) / len(nearest)
