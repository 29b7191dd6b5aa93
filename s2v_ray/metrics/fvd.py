"""How far is a set of generated videos, as a whole, from the real ones?"""

import torch
from torch import Tensor
from torch.nn import functional

from s2v_ray.metrics.checks import checked_video
from s2v_ray.metrics.i3d import CLASSES, FRAMES, SIDE, I3d


def fvd_features(video_TCHW: Tensor, i3d: I3d) -> Tensor:
    """What I3D sees in each window of 16 frames of a video: its logits [W, 400], float64.

    Windows follow each other without overlap from the first frame on; what is left at the end is ignored, so a clip
    of 120 frames has 7, and one of fewer than 16 none. They are enlarged (or reduced) to 224 x 224 bilinearly.
    Raises ValueError unless the video is a float one [T, 3, H, W] in [-1, 1].
    """
    windows = torch.split(checked_video("video_TCHW", video_TCHW).float(), FRAMES)
    whole = [window_TCHW for window_TCHW in windows if len(window_TCHW) == FRAMES]
    large = (functional.interpolate(window, size=(SIDE, SIDE), mode="bilinear") for window in whole)
    # One by one: a window takes a hundred megabytes inside the network.
    seen = [i3d(window_TCHW.transpose(0, 1).unsqueeze(0)) for window_TCHW in large]
    return torch.cat([torch.empty(0, CLASSES), *seen]).double()


def frechet_distance(ours_ND: Tensor, theirs_MD: Tensor) -> float | None:
    """The squared Fréchet distance of Gaussians fitted to two sets of features; of `fvd_features`, it is FVD.

    |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½) (Dowson and Landau 1982; FVD: Unterthiner et al. 2018, arXiv:1812.01717): 0
    for equal sets, and the smaller the better. It is biased upwards, much so with fewer windows than the 400 features:
    compare it only between sets of the same counts, and with published values only for the same clips and weights.
    None where a set has fewer than two samples. Raises ValueError for other shapes or values not finite.
    """
    sets = {"ours_ND": ours_ND, "theirs_MD": theirs_MD}
    for name, features in sets.items():
        if features.ndim != 2 or features.shape[1] != ours_ND.shape[-1]:
            raise ValueError(f"{name} has shape {tuple(features.shape)}; both sets must be [samples, features].")
        if not features.isfinite().all():
            raise ValueError(f"{name} holds {features[~features.isfinite()][0].item()}; every value must be finite.")
    if min(map(len, sets.values())) < 2:
        return None
    (mean_1, factor_1), (mean_2, factor_2) = (_gaussian(features.double()) for features in sets.values())
    # With S = RᵀR, the eigenvalues of S1 S2 are the squared singular values of R1 R2ᵀ. No root of a covariance is
    # taken, so that one of low rank gives neither NaN nor a rounding error's root.
    trace = torch.linalg.svdvals(factor_1 @ factor_2.T).sum()
    distance = (mean_1 - mean_2).square().sum() + factor_1.square().sum() + factor_2.square().sum() - 2 * trace
    return max(0.0, float(distance))


def _gaussian(features_ND: Tensor) -> tuple[Tensor, Tensor]:
    """The mean [D], and a factor R [min(N, D), D] of the unbiased covariance RᵀR."""
    mean_D = features_ND.mean(0)
    centred_ND = (features_ND - mean_D) / (len(features_ND) - 1) ** 0.5
    return mean_D, torch.linalg.qr(centred_ND, mode="r").R
