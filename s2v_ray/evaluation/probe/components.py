"""Principal components of how frames differ from the first frame of their clip."""

from dataclasses import dataclass

import torch
from torch import Tensor

COMPONENTS = 24
_POWER_ITERATIONS = 3


@dataclass(frozen=True)
class Components:
    """`mean_P` of residuals of P pixel values, and their `basis_KP`, orthonormal."""

    mean_P: Tensor
    basis_KP: Tensor


def principal_components(residuals_NP: Tensor) -> Components:
    """Up to COMPONENTS principal components of residuals [N, P]; random numbers are torch's."""
    mean_P = residuals_NP.mean(0)
    wanted = min(COMPONENTS, *residuals_NP.shape)
    _, _, basis_PK = torch.svd_lowrank(
        residuals_NP - mean_P, q=min(wanted + 8, *residuals_NP.shape), niter=_POWER_ITERATIONS
    )
    return Components(mean_P, basis_PK[:, :wanted].T.contiguous())
