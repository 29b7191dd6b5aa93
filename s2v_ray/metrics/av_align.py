"""Does the video move when it sounds? By the moments that sound and motion have in common."""

from collections.abc import Sequence

from s2v_ray.metrics.peaks import matched

_WITHIN_FRAMES = 1


def av_align(motion_peaks: Sequence[int], sound_onsets: Sequence[int]) -> float | None:
    """AV-Align (Yariv et al. 2024): intersection over union of a sound's onsets and the peaks of motion, in [0, 1].

    Both are sorted frames of one clip, as `motion_peaks` and `sound_onsets` find them (the paper has peaks of optical
    flow). They agree where they are at most one frame apart, one to one. None where there are neither, for which the
    paper's code divides by zero.
    """
    both = matched(sound_onsets, motion_peaks, within=_WITHIN_FRAMES)
    either = len(sound_onsets) + len(motion_peaks) - both
    return both / either if either else None
