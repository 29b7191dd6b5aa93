"""Which device to compute on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s2v_ray.errors import UserError

if TYPE_CHECKING:
    import torch


def choose_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the GPU if there is one, otherwise the CPU. Raises UserError for others."""
    import torch  # takes seconds, which --help must not

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UserError("unknown_device", f"--device is '{name}', but must be auto, cpu or cuda.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UserError("no_such_gpu", f"--device is '{name}', but this machine has {count} GPUs; use --device cpu.")
    return device
