"""Which device to compute on."""

import torch

from s2v_ray.errors import UserError


def choose_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the GPU where there is one, else the CPU. Raises UserError for any other."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"--device is '{name}', but must be auto, cpu or cuda.") from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--device is '{name}', but must be auto, cpu or cuda.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--device {name}: there are {torch.cuda.device_count()} GPUs here; use --device cpu.")
    return device
