"""Reading a network's weights from a file that the user supplies."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from s2v_ray.errors import UserError


def read_weights(
    folder: str | Path, file: str, shapes: Mapping[str, tuple[int, ...]], *, network: str, origin: str
) -> dict[str, Tensor]:
    """The tensors of `file` in `folder` that `shapes` names. Only tensors are read, nothing in it is run.

    Raises UserError `missing_weights` for a missing file, and `wrong_weights` for one that holds something else or
    tensors of other shapes; `network` and `origin` say whose weights they should be and where to get them.
    """
    location = Path(folder) / file
    try:
        stored = torch.load(location, map_location="cpu", weights_only=True)
        weights = {name: stored[name] for name in shapes}
        found = {name: tuple(weight.shape) for name, weight in weights.items()}
    except FileNotFoundError as error:
        raise UserError("missing_weights", f"--weights-dir '{folder}' has no {file}; put {origin}'s there.") from error
    except Exception as error:  # whatever a damaged or foreign file raises
        raise UserError(
            "wrong_weights", f"'{location}' holds no weights of {network}; put {origin}'s file there."
        ) from error
    for name, shape in shapes.items():
        if found[name] != tuple(shape):
            raise UserError(
                "wrong_weights",
                f"'{location}' holds no weights of {network}: {name} has shape {found[name]} instead of "
                f"{tuple(shape)}; put {origin}'s file there.",
            )
    return weights
