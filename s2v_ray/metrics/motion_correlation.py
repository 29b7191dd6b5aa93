"""Headline 1: does the video move when it should?"""

from torch import Tensor

from s2v_ray.metrics.checks import checked_pair
from s2v_ray.metrics.motion import FLAT, motion_energy


def motion_correlation(generated_TCHW: Tensor, real_TCHW: Tensor) -> float:
    """Pearson's correlation, over time, of the two videos' motion energies: in [-1, 1], 1 for the real video.

    Videos [T, C, H, W] float in [-1, 1], T >= 3. Where it is undefined, because one of the two never moves or
    moves equally in every frame, it counts 0. Raises ValueError for any other input.
    """
    generated_TCHW, real_TCHW = checked_pair(generated_TCHW, real_TCHW, least_frames=3)
    return pearson(motion_energy(generated_TCHW), motion_energy(real_TCHW)) or 0.0


def pearson(a_T: Tensor, b_T: Tensor) -> float | None:
    """Pearson's correlation of two curves of motion energy, or None where one of them is flat."""
    a_T, b_T = a_T - a_T.mean(), b_T - b_T.mean()
    a_std, b_std = a_T.square().mean().sqrt(), b_T.square().mean().sqrt()
    if min(a_std, b_std) <= FLAT:
        return None
    return ((a_T * b_T).mean() / (a_std * b_std)).clamp(-1, 1).item()
