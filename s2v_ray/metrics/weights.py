"""Reading a network's weights from a file that the user supplies."""

from pathlib import Path

import torch
from torch import nn

from s2v_ray.errors import UserError


def load_weights(network: nn.Module, folder: str | Path, file: str, *, name: str, origin: str) -> None:
    """Load a network's weights from `file` in `folder`, and freeze it. Only tensors are read, nothing in it is run.

    The file may hold more. Raises UserError `missing_weights` if it is missing, and `wrong_weights` if it lacks weights
    of these names and shapes; `name` and `origin` say whose they should be and where to get them.
    """
    location = Path(folder) / file
    try:
        stored = torch.load(location, map_location="cpu", weights_only=True)
        needed = [key for key in network.state_dict() if not key.endswith("num_batches_tracked")]
        network.load_state_dict({key: stored[key] for key in needed}, strict=False)
    except FileNotFoundError as error:
        raise UserError("missing_weights", f"--weights-dir '{folder}' has no {file}; put {origin}'s there.") from error
    except Exception as error:  # whatever a damaged or foreign file raises
        reason = f" ({str(error).splitlines()[-1].strip()})" if isinstance(error, RuntimeError) else ""
        raise UserError(
            "wrong_weights", f"'{location}' holds no weights of {name}{reason}; put {origin}'s file there."
        ) from error
    network.eval().requires_grad_(False)
